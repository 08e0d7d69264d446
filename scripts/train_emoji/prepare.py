#!/usr/bin/env python3
"""Everything the trainings need that takes no GPU: pictures, phrases, tokenizer.

    python scripts/train_emoji/prepare.py FOLDER [--emoji 40]

Writes FOLDER/glyphs.npz, phrases.json and tokenizer/. Needs requirements.txt and the Debian packages named in README.md.
"""

import argparse
import json
import pathlib

import numpy

import captions
import catalogue
import phrases
import pictures
import vocabulary

CORPUS = 400_000  # captions that the tokenizer learns from


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--emoji", type=int, help="only so many, spread over the catalogue, for a trial")
    parser.add_argument("--corpus", type=int, default=CORPUS)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    items = catalogue.read_catalogue()
    if args.emoji:
        items = items[::len(items) // args.emoji][:args.emoji]
    table, choosing = phrases.read_phrases(items)
    numpy.savez_compressed(args.folder / "glyphs.npz", glyphs=pictures.draw_glyphs(items))
    (args.folder / "phrases.json").write_text(json.dumps({
        "emoji": [item.text for item in items], "names": [item.names for item in items], "table": table,
        "choosing": choosing}, ensure_ascii=False))
    drawn = captions.Captions(table, seed=1)
    texts = (drawn.draw(i % len(items), drawn.background()) for i in range(args.corpus))
    vocabulary.save(vocabulary.learn(texts), args.folder / "tokenizer")
    count = sum(len(found) for entry in table for groups in entry.values() for found in groups.values())
    print(f"{len(items)} emoji, {count} phrases, {len(choosing)} kept to choose settings by")


if __name__ == "__main__":
    main()
