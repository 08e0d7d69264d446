#!/usr/bin/env python3
"""Mean of two trainings' weights: what a training went on from, and what came out.

    python scripts/train_emoji/average.py BEFORE AFTER OUT --share 0.85

Folders with text_encoder and transformer; OUT gets (1 - share) * BEFORE + share * AFTER, in bf16. Ref: Wortsman et al. 2022,
"Robust fine-tuning of zero-shot models", https://arxiv.org/abs/2109.01903.
"""

import argparse
import pathlib
import shutil

import checkpoint


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("before", "after", "out"):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("--share", type=float, default=0.85, help="of AFTER")
    args = parser.parse_args()
    for part, stem in (("text_encoder", "model"), ("transformer", "diffusion_pytorch_model")):
        before, after = checkpoint.read(args.before / part), checkpoint.read(args.after / part)
        checkpoint.save({name: (1 - args.share) * before[name] + args.share * after[name] for name in after}, args.out / part, stem)
        shutil.copy(args.before / part / "config.json", args.out / part)


if __name__ == "__main__":
    main()
