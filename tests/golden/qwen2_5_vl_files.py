#!/usr/bin/env python3
"""What transformers answers about picture files, for the tests that run the programs. Needs requirements.txt and pillow.

    python tests/golden/qwen2_5_vl_files.py

Draws qwen2_5_vl_files/house.png (half transparent; house_on_white.png is not) and qwen2_5_vl_files/street.jpg (lies on its
side, as EXIF says), and asks the checkpoint in qwen2_5_vl_released about them: qwen2_5_vl_files/prompts.jsonl is what Trireme
reads, qwen2_5_vl_files/answers.json what transformers wrote, greedy with the repetition penalty of the folder.
"""

import json
import pathlib

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageOps
from transformers import (AutoTokenizer, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor, Qwen2VLImageProcessor,
                          Qwen2VLVideoProcessor)

from qwen2_5_vl import CHAT_TEMPLATE

HERE = pathlib.Path(__file__).resolve().parent
FILES, CHECKPOINT = HERE / "qwen2_5_vl_files", HERE / "qwen2_5_vl_released"
NEW_TOKENS = 32


def draw_house():
    picture = Image.new("RGBA", (150, 110), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((30, 50, 110, 105), fill=(200, 60, 40, 255))
    pen.polygon([(20, 50), (70, 10), (120, 50)], fill=(90, 50, 30, 255))
    pen.rectangle((60, 75, 80, 105), fill=(240, 220, 90, 255))
    pen.ellipse((118, 5, 145, 32), fill=(255, 210, 0, 128))
    picture.save(FILES / "house.png")
    white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    Image.alpha_composite(white, picture).convert("RGB").save(FILES / "house_on_white.png")


def draw_street():
    across, down = np.meshgrid(np.arange(133), np.arange(97))
    noise = np.random.default_rng(3).integers(0, 40, (97, 133))
    pixels = np.stack([across + noise, 2 * down + noise, 255 - across], axis=-1).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((15, 20, 60, 80), fill=(30, 30, 60))
    pen.line((0, 90, 132, 60), fill=(255, 255, 255), width=4)
    exif = Image.Exif()
    exif[0x112] = 6
    picture.save(FILES / "street.jpg", quality=88, exif=exif)


def image(name):
    return {"type": "image", "image": name}


def text(words):
    return {"type": "text", "text": words}


def lines():
    yield {"id": "png", "prompt": "describe the picture", "images": ["house.png"]}
    yield {"id": "white", "prompt": "describe the picture", "images": ["house_on_white.png"]}
    yield {"id": "jpeg", "prompt": "what is in it?", "images": ["street.jpg"], "system": "You are a fox."}
    yield {"id": "both", "prompt": "which one?", "images": ["street.jpg", "house.png"]}
    yield {"id": "text", "prompt": "a red fox in the snow"}
    yield {"id": "turns", "messages": [
        {"role": "user", "content": [text("first "), image("house.png"), text(" then "), image("house.png"), text("?")]},
        {"role": "assistant", "content": "a house"},
        {"role": "user", "content": [text("and this?"), image("street.jpg")]}]}


def messages_of(line):
    if "messages" in line:
        return line["messages"]
    system = [{"role": "system", "content": line["system"]}] if "system" in line else []
    return system + [{"role": "user", "content": [image(name) for name in line.get("images", [])] + [text(line["prompt"])]}]


def opened(name):
    """Upright, as load_image does it, but with its transparency, which the processor puts on white."""
    return ImageOps.exif_transpose(Image.open(FILES / name))


@torch.no_grad()
def main():
    FILES.mkdir(exist_ok=True)
    draw_house()
    draw_street()
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(CHECKPOINT, dtype=torch.float32).eval()
    processor = Qwen2_5_VLProcessor(Qwen2VLImageProcessor.from_pretrained(CHECKPOINT), AutoTokenizer.from_pretrained(CHECKPOINT),
                                    Qwen2VLVideoProcessor(), chat_template=CHAT_TEMPLATE)
    answers = {}
    for line in lines():
        messages = messages_of(line)
        names = [part["image"] for m in messages if isinstance(m["content"], list) for part in m["content"] if part["type"] == "image"]
        prompt = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        inputs = processor(text=[prompt], images=[opened(name) for name in names] or None, return_tensors="pt")
        model.model.rope_deltas = None
        out = model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)[0, inputs["input_ids"].shape[1]:].tolist()
        answers[line["id"]] = {"token_ids": out, "text": processor.tokenizer.decode(out, skip_special_tokens=True),
                               "prompt_tokens": inputs["input_ids"].shape[1]}
    (FILES / "prompts.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines()))
    (FILES / "answers.json").write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
