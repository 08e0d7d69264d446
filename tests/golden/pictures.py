#!/usr/bin/env python3
"""Golden pictures: files as bytes beside the RGB pixels that transformers makes of them. Needs requirements.txt and pillow.

    python tests/golden/pictures.py

pictures.safetensors: for each name `NAME.file` (uint8 [bytes]) and `NAME.pixels` (uint8 [H, W, 3]): Pillow opens the file,
turns it upright as transformers.image_utils.load_image does, and transformers' convert_to_rgb composites it on white.
"""

import io
import pathlib
import struct
import zlib

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import save_file
from transformers.image_transforms import convert_to_rgb

HERE = pathlib.Path(__file__).resolve().parent
WIDTH, HEIGHT = 13, 7
RANDOM = np.random.default_rng(5)
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(color, depth, samples, extra=b"", interlaced=False):
    """samples [H, W, channels]; every pass of Adam7 is written on its own."""
    def rows(part):
        bits = {1: 1, 2: 2, 4: 4}.get(depth)
        out = b""
        for row in part:
            if bits:
                text = "".join(format(int(v), f"0{bits}b") for v in row.reshape(-1))
                text += "0" * (-len(text) % 8)
                out += b"\0" + int(text, 2).to_bytes(len(text) // 8, "big")
            else:
                out += b"\0" + row.astype(">u2" if depth == 16 else "u1").tobytes()
        return out
    passes = [(0, 0, 1, 1)] if not interlaced else [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2),
                                                    (0, 1, 2, 2), (1, 0, 2, 1)]
    data = b"".join(rows(samples[y::dy, x::dx]) for y, x, dy, dx in passes if samples[y::dy, x::dx].size)
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], depth, color, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data)) +
            chunk(b"IEND", b""))


def samples(depth, channels):
    return RANDOM.integers(0, 1 << depth, (HEIGHT, WIDTH, channels))


def exif(orientation, order=">"):
    return ((b"MM" if order == ">" else b"II") + struct.pack(order + "HIHHHIHHI", 42, 8, 1, 0x112, 3, 1, orientation, 0, 0))


def photo(mode, size=(37, 21)):
    y, x = np.mgrid[0:size[1], 0:size[0]]
    planes = [128 + 90 * np.sin(x / (3 + i) + y / (5 - i)) + RANDOM.normal(0, 8, x.shape) for i in range(len(mode))]
    return Image.frombytes(mode, size, np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8).tobytes())


def saved(image, kind="JPEG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def files():
    for depth in (1, 2, 4, 8, 16):
        yield f"png_grey{depth}", png(GREY, depth, samples(depth, 1))
        value = samples(depth, 1)
        yield (f"png_grey{depth}_transparent",
               png(GREY, depth, value, chunk(b"tRNS", struct.pack(">H", int(value[0, 0, 0])))))
    dark = samples(16, 1) // 200  # some below 256, where 16 bits show
    yield "png_grey16_dark", png(GREY, 16, dark)
    for depth in (1, 2, 4, 8):
        palette = RANDOM.integers(0, 256, 3 << depth).astype(np.uint8).tobytes()
        yield f"png_palette{depth}", png(PALETTE, depth, samples(depth, 1), chunk(b"PLTE", palette))
        alphas = RANDOM.integers(0, 256, 1 << depth).astype(np.uint8).tobytes()
        yield (f"png_palette{depth}_alphas",
               png(PALETTE, depth, samples(depth, 1), chunk(b"PLTE", palette) + chunk(b"tRNS", alphas[:-1])))
        one = bytes([255] * ((1 << depth) - 1) + [0])
        yield (f"png_palette{depth}_hole",
               png(PALETTE, depth, samples(depth, 1), chunk(b"PLTE", palette) + chunk(b"tRNS", one)))
    for depth in (8, 16):
        yield f"png_rgb{depth}", png(RGB, depth, samples(depth, 3))
        value = samples(depth, 3)
        key = struct.pack(">HHH", *[int(v) for v in value[1, 1]])
        yield f"png_rgb{depth}_transparent", png(RGB, depth, value, chunk(b"tRNS", key))
        yield f"png_grey_alpha{depth}", png(GREY_ALPHA, depth, samples(depth, 2))
        yield f"png_rgba{depth}", png(RGBA, depth, samples(depth, 4))
        yield f"png_rgba{depth}_interlaced", png(RGBA, depth, samples(depth, 4), interlaced=True)
    yield "png_grey1_interlaced", png(GREY, 1, samples(1, 1), interlaced=True)
    yield "png_one_pixel", png(RGB, 8, samples(8, 3)[:1, :1])
    yield "png_gamma", png(RGB, 8, samples(8, 3), chunk(b"gAMA", struct.pack(">I", 100000)))
    yield "png_exif6", png(RGB, 8, samples(8, 3), chunk(b"eXIf", exif(6)))
    every_alpha = np.zeros((256, 256, 4), np.int64)
    every_alpha[..., 0], every_alpha[..., 3] = np.mgrid[0:256, 0:256]
    yield "png_every_alpha", png(RGBA, 8, every_alpha)

    for subsampling in (0, 1, 2):
        yield f"jpeg_rgb_{subsampling}", saved(photo("RGB"), quality=85, subsampling=subsampling)
    yield "jpeg_progressive", saved(photo("RGB"), quality=70, progressive=True)
    yield "jpeg_grey", saved(photo("L"), quality=85)
    yield "jpeg_cmyk", saved(photo("CMYK"), quality=85)
    yield "jpeg_kept_rgb", saved(photo("RGB"), quality=90, keep_rgb=True)
    yield "jpeg_restarts", saved(photo("RGB"), quality=80, restart_marker_blocks=2)
    yield "jpeg_one_pixel", saved(photo("RGB", (1, 1)), quality=80)
    for orientation in range(1, 9):
        yield f"jpeg_exif{orientation}", saved(photo("RGB"), exif=b"Exif\0\0" + exif(orientation, "<>"[orientation % 2]))
    yield "jpeg_exif_nonsense", saved(photo("RGB"), exif=b"Exif\0\0" + exif(9))
    yield "jpeg_xmp8", saved(photo("RGB"), xmp=b'<x:xmpmeta><rdf tiff:Orientation="8"/></x:xmpmeta>')


def main():
    tensors = {}
    for name, data in files():
        image = Image.open(io.BytesIO(data))
        image = ImageOps.exif_transpose(image)
        pixels = convert_to_rgb(image, return_numpy=True)
        tensors[name + ".file"] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        tensors[name + ".pixels"] = torch.from_numpy(np.ascontiguousarray(pixels))
    save_file(tensors, str(HERE / "pictures.safetensors"))


if __name__ == "__main__":
    main()
