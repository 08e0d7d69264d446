#!/usr/bin/env python3
"""Pictures of the shipped emoji model by diffusers' ZImagePipeline, float32 on the CPU, for tests/e2e/emoji_test.cpp.

    python tests/golden/emoji.py

Writes tests/data/emoji/diffusers/<seed>.png for each line of prompts.tsv there (seed, prompt). Needs requirements.txt.
"""

import pathlib

import torch
from diffusers import ZImagePipeline

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "tests/data/emoji/diffusers"


def main():
    pipeline = ZImagePipeline.from_pretrained(ROOT / "models/emoji", torch_dtype=torch.float32)
    for line in (FOLDER / "prompts.tsv").read_text().splitlines():
        seed, prompt = line.split("\t")
        generator = torch.Generator("cpu").manual_seed(int(seed))
        pipeline(prompt, width=128, height=128, num_inference_steps=8, guidance_scale=0.0,
                 generator=generator).images[0].save(FOLDER / f"{seed}.png")


if __name__ == "__main__":
    main()
