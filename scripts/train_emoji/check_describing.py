#!/usr/bin/env python3
"""Asks transformers' Qwen2.5-VL, not our own code, for the name of each picture.

    python scripts/train_emoji/check_describing.py DATA models/emoji-describe [--emoji 100] [--vae models/emoji/vae]

Prints the share of names that are right to the letter: the font's pictures on white and on colours, asked in English and Chinese with
questions of the training and with others. With --vae also the pictures as the drawing model's autoencoder paints them.
"""

import argparse
import json
import pathlib
import random

import numpy
import torch
from diffusers import AutoencoderKL
from PIL import Image
from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration

import captions
import pictures
import questions

BATCH = 64


def ask(model, processor, shown, asked):
    """[n] pictures and questions -> [n] answers"""
    answers = []
    for begin in range(0, len(shown), BATCH):
        texts = []
        for question in asked[begin:begin + BATCH]:
            content = [{"type": "image"}, {"type": "text", "text": question}]
            texts.append(processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True))
        inputs = processor(text=texts, images=shown[begin:begin + BATCH], return_tensors="pt", padding=True)
        ids = model.generate(**inputs, max_new_tokens=48, do_sample=False)[:, inputs["input_ids"].shape[1]:]
        answers += processor.batch_decode(ids, skip_special_tokens=True)
    return answers


@torch.no_grad()
def painted(vae, shown):
    """What the autoencoder makes of pictures"""
    result = []
    for picture in shown:
        pixels = torch.from_numpy(numpy.asarray(picture)).permute(2, 0, 1)[None] / 127.5 - 1
        out = vae.decode(vae.encode(pixels).latent_dist.mean).sample[0]
        result.append(Image.fromarray(((out.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--emoji", type=int, help="only so many, spread over the catalogue")
    parser.add_argument("--vae", type=pathlib.Path)
    args = parser.parse_args()
    names = json.loads((args.data / "phrases.json").read_text())["names"]
    glyphs = numpy.load(args.data / "glyphs.npz")["glyphs"]
    chosen = range(0, len(names), max(1, len(names) // args.emoji) if args.emoji else 1)
    r = random.Random(7)
    processor = AutoProcessor.from_pretrained(args.model, padding_side="left")
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(args.model, torch_dtype=torch.float32).eval()
    vae = AutoencoderKL.from_pretrained(args.vae, torch_dtype=torch.float32).eval() if args.vae else None
    trained = {"en": questions.ENGLISH, "zh": questions.CHINESE}
    for background in ("white", "coloured"):
        colours = [captions.COLOURS[r.randrange(1, len(captions.COLOURS)) if background == "coloured" else 0][1] for _ in chosen]
        shown = [Image.fromarray(pictures.on_colour(glyphs[i:i + 1], colour)[0]) for i, colour in zip(chosen, colours)]
        sources = {"font": shown, "autoencoder": painted(vae, shown)} if vae else {"font": shown}
        for source, of_source in sources.items():
            for language in ("en", "zh"):
                for kind, pool in (("trained", trained[language]), ("other", questions.UNSEEN[language])):
                    answers = ask(model, processor, of_source, [r.choice(pool) for _ in chosen])
                    wrong = [(names[i][language], a) for i, a in zip(chosen, answers) if names[i][language] != a]
                    print(f"{source} {background} {language} {kind} questions: {100 - 100 * len(wrong) / len(answers):.1f} % of "
                          f"{len(answers)}; wrong: {wrong[:3]}", flush=True)


if __name__ == "__main__":
    main()
