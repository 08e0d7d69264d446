"""Synonyms, kinds and glosses of a noun's first sense, from WordNet's own files."""

import dataclasses
import functools
import pathlib

FOLDER = pathlib.Path("/usr/share/wordnet")
MAX_WORDS = 12  # of a piece of a gloss


@dataclasses.dataclass
class Sense:
    synonyms: list
    kinds: list    # lemmas one level below: poodle of dog
    glosses: list  # pieces of the definition, without examples


@functools.cache
def first_offsets():
    result = {}
    for line in (FOLDER / "index.noun").read_text().splitlines():
        if not line.startswith(" "):
            fields = line.split()
            result[fields[0]] = int(fields[4 + int(fields[3]) + 2])
    return result


@functools.cache
def data():
    return (FOLDER / "data.noun").read_bytes()


def synset(offset):
    line = data()[offset:data().index(b"\n", offset)].decode()
    head, gloss = line.split(" | ", 1)
    fields = head.split()
    count = int(fields[3], 16)
    lemmas = [fields[4 + 2 * i].replace("_", " ") for i in range(count)]
    pointers = fields[5 + 2 * count:]
    below = [int(pointers[i + 1]) for i in range(0, len(pointers) - 3, 4) if pointers[i] in ("~", "~i")]
    return lemmas, below, gloss


def look_up(noun):
    """-> Sense, or None if WordNet lacks the noun"""
    offset = first_offsets().get(noun.lower().replace(" ", "_"))
    if offset is None:
        return None
    lemmas, below, gloss = synset(offset)
    pieces = [piece.strip() for piece in gloss.split(";") if '"' not in piece]
    return Sense([lemma for lemma in lemmas if lemma.lower() != noun.lower()],
                 [synset(other)[0][0] for other in below][:12],
                 [piece for piece in pieces if 1 < len(piece.split()) <= MAX_WORDS][:3])
