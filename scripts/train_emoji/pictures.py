"""The pictures of the font: 128x128, the glyph in the middle."""

import numpy
from PIL import Image, ImageDraw, ImageFont

from catalogue import FONT

SIDE = 128
STRIKE = 109            # the only size of the font's bitmaps, 136x128 pixels
GLYPH_WIDTH = 120       # of those, in our picture


def draw_glyph(text, font):
    """-> [128, 128, 4] uint8, not premultiplied"""
    canvas = Image.new("RGBA", (136, 128), (0, 0, 0, 0))
    left, top, right, bottom = font.getbbox(text)
    ImageDraw.Draw(canvas).text(((136 - right - left) / 2, (128 - bottom - top) / 2), text, font=font, embedded_color=True)
    height = round(128 * GLYPH_WIDTH / 136)
    # Resized with premultiplied alpha, as the edges ask for.
    small = canvas.convert("RGBa").resize((GLYPH_WIDTH, height), Image.Resampling.LANCZOS).convert("RGBA")
    picture = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
    picture.paste(small, ((SIDE - GLYPH_WIDTH) // 2, (SIDE - height) // 2))
    return numpy.asarray(picture)


def draw_glyphs(catalogue):
    """-> [n, 128, 128, 4] uint8"""
    font = ImageFont.truetype(str(FONT), STRIKE, layout_engine=ImageFont.Layout.RAQM)
    return numpy.stack([draw_glyph(item.text, font) for item in catalogue])


def on_colour(glyphs, colour):
    """[n, 128, 128, 4] uint8 on an RGB colour -> [n, 128, 128, 3] uint8"""
    alpha = glyphs[..., 3:].astype(numpy.float32) / 255
    return numpy.rint(glyphs[..., :3] * alpha + numpy.float32(colour) * (1 - alpha)).astype(numpy.uint8)
