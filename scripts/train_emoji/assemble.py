#!/usr/bin/env python3
"""Puts the trained parts together: the checkpoint in the released layout, the list of what it knows, and the tests' pictures.

    python scripts/train_emoji/assemble.py DATA OUT models/emoji tests/data/emoji

README.md and licences that are there already stay.
"""

import argparse
import json
import pathlib
import shutil

import numpy
from PIL import Image

import captions
import checkpoint
import test_sets

CELL, COLUMNS = 32, 40  # of the tests' atlas
INDEX = {"_class_name": "ZImagePipeline", "_diffusers_version": "0.36.0.dev0",
         "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"], "text_encoder": ["transformers", "Qwen3Model"],
         "tokenizer": ["transformers", "Qwen2Tokenizer"], "transformer": ["diffusers", "ZImageTransformer2DModel"],
         "vae": ["diffusers", "AutoencoderKL"]}
SCHEDULER = {"_class_name": "FlowMatchEulerDiscreteScheduler", "_diffusers_version": "0.36.0.dev0",
             "num_train_timesteps": 1000, "shift": 3.0, "use_dynamic_shifting": False}


def atlas(glyphs):
    """[n, 128, 128, 4] -> one RGBA picture of n cells of 32x32, each the mean of what it covers, in rows of 40"""
    alpha = glyphs[..., 3:].astype(numpy.float32) / 255
    size = glyphs.shape[1] // CELL
    small = numpy.concatenate([glyphs[..., :3] * alpha, alpha], -1)
    small = small.reshape(len(glyphs), CELL, size, CELL, size, 4).mean((2, 4))
    colour = small[..., :3] / numpy.maximum(small[..., 3:], 1e-6)
    cells = numpy.rint(numpy.concatenate([colour, 255 * small[..., 3:]], -1)).clip(0, 255).astype(numpy.uint8)
    rows = -(-len(cells) // COLUMNS)
    sheet = numpy.zeros((rows * COLUMNS, CELL, CELL, 4), numpy.uint8)
    sheet[:len(cells)] = cells
    sheet = sheet.reshape(rows, COLUMNS, CELL, CELL, 4).swapaxes(1, 2).reshape(rows * CELL, COLUMNS * CELL, 4)
    return Image.fromarray(sheet)


def exam_lines(data):
    """A line a question: set, text, numbers of the right emoji joined by blanks, number of the background."""
    for name, rows in test_sets.build(data).items():
        if not name.startswith("choosing"):
            for text, right, background in rows:
                yield f"{name}\t{text}\t{' '.join(map(str, right))}\t{background}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "out", "model", "tests"):
        parser.add_argument(name, type=pathlib.Path)
    args = parser.parse_args()
    data = json.loads((args.data / "phrases.json").read_text())
    for part in ("transformer", "text_encoder", "vae"):
        shutil.rmtree(args.model / part, ignore_errors=True)
        shutil.copytree(args.out / part, args.model / part)
    shutil.rmtree(args.model / "tokenizer", ignore_errors=True)
    shutil.copytree(args.data / "tokenizer", args.model / "tokenizer")
    checkpoint.write_json(args.model / "model_index.json", INDEX)
    checkpoint.write_json(args.model / "scheduler" / "scheduler_config.json", SCHEDULER)
    (args.model / "emoji.tsv").write_text("".join(f"{emoji}\t{names['en']}\t{names['zh']}\n"
                                                  for emoji, names in zip(data["emoji"], data["names"])))
    args.tests.mkdir(parents=True, exist_ok=True)
    atlas(numpy.load(args.data / "glyphs.npz")["glyphs"]).save(args.tests / "glyphs.png", optimize=True)
    (args.tests / "questions.tsv").write_text("".join(exam_lines(data)))
    (args.tests / "backgrounds.tsv").write_text("".join("\t".join([name, *map(str, rgb)]) + "\n"
                                                        for name, rgb, _, _ in captions.COLOURS))
    size = sum(path.stat().st_size for path in args.model.rglob("*") if path.is_file())
    print(f"{args.model}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
