#!/usr/bin/env python3
"""Asks a drawing model on a CPU, in float32, and counts right pictures: the nearest latent of all emoji on white must be a right one.

    python scripts/train_emoji/examine.py DATA models/emoji [--sets paraphrases,riddles] [--seeds 1,2,3] [--parts OUT]

One line a set: its questions, then the share of right ones for each seed of the noise, in percent. --parts: a folder whose
text_encoder and transformer are asked instead of the model's.
"""

import argparse
import json
import pathlib

import numpy
import torch
from diffusers import AutoencoderKL
from tokenizers import Tokenizer

import checkpoint
import decoder
import denoiser
import test_sets
import train_autoencoder
import train_drawing

BATCH = 128


@torch.no_grad()
def white_latents(data, folder):
    """-> [n, 16 * 16 * 16]"""
    vae = AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32).eval()
    glyphs = torch.from_numpy(numpy.load(data / "glyphs.npz")["glyphs"]).permute(0, 3, 1, 2)
    latents = train_autoencoder.encode_all(vae, glyphs, train_autoencoder.palette("cpu")[:1])[0]
    return ((latents - vae.config.shift_factor) * vae.config.scaling_factor).flatten(1)


class Asked:
    def __init__(self, args):
        parts = args.parts or args.model
        self.tokenizer = Tokenizer.from_file(str(args.model / "tokenizer" / "tokenizer.json"))
        self.text = decoder.Decoder(train_drawing.TINY_TEXT if args.tiny else train_drawing.TEXT).eval()
        self.text.load_state_dict({k.removeprefix("model."): v for k, v in checkpoint.read(parts / "text_encoder").items()})
        self.model = denoiser.Denoiser(train_drawing.TINY if args.tiny else denoiser.Config()).eval()
        self.model.load_state_dict(checkpoint.read(parts / "transformer"))
        self.known = white_latents(args.data, args.model / "vae")

    def answers(self, texts, seed):
        """-> numbers of the emoji drawn"""
        generator, found = torch.Generator().manual_seed(seed), []
        for begin in range(0, len(texts), BATCH):
            part = texts[begin:begin + BATCH]
            noise = torch.randn(len(part), 16, 16, 16, generator=generator)
            found += train_drawing.nearest(self.text, self.model, self.known, self.tokenizer, part, noise)
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--parts", type=pathlib.Path)
    parser.add_argument("--sets", default="paraphrases,riddles", help="beginnings of their names, as choosing")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--tiny", action="store_true", help="narrow models, as train_drawing.py --tiny makes them")
    args = parser.parse_args()
    data = json.loads((args.data / "phrases.json").read_text())
    asked = Asked(args)
    for name, rows in test_sets.build(data).items():
        if not name.startswith(tuple(args.sets.split(","))):
            continue
        shares = []
        for seed in map(int, args.seeds.split(",")):
            answers = asked.answers([text for text, _, _ in rows], seed)
            shares.append(100 * sum(answer in right for (_, right, _), answer in zip(rows, answers)) / len(rows))
        print(f"{name} {len(rows)} " + " ".join(f"{share:.1f}" for share in shares), flush=True)


if __name__ == "__main__":
    main()
