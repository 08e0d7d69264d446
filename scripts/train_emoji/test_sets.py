"""What the drawing model is asked when its quality is measured: texts, and the pictures that are right for each."""

import random

import captions
import phrases


def build(data, seed=5):
    """data: phrases.json -> name -> list of (text, right emoji numbers, background number)"""
    number = {emoji: index for index, emoji in enumerate(data["emoji"])}
    r = random.Random(seed)
    sets = {}
    for language, field in (("en", 2), ("zh", 3)):
        names = [entry[language] for entry in data["names"]]
        sets[f"names_{language}"] = [(name, [i], 0) for i, name in enumerate(names)]
        sets[f"templates_{language}"] = [(r.choice(captions.UNSEEN_TEMPLATES[language]).format(p=name), [i], 0)
                                         for i, name in enumerate(names)]
        coloured = []
        for i, name in enumerate(names):
            background = r.randrange(1, len(captions.COLOURS))
            template = r.choice(captions.BACKGROUNDS[language])
            coloured.append((template.format(p=name, c=captions.COLOURS[background][field][0]), [i], background))
        sets[f"coloured_{language}"] = coloured
    for exam, rows in phrases.read_held_out().items():
        for text, emoji in rows:
            right = [number[e] for e in emoji if e in number]
            if right:
                sets.setdefault(f"{exam}_{phrases.language_of(text)}", []).append((text, right, 0))
    groups = {}
    for text, emoji in data["choosing"]:
        groups.setdefault((phrases.normalise(text), phrases.language_of(text)), [text, []])[1].append(number[emoji])
    for (_, language), (text, right) in groups.items():
        sets.setdefault(f"choosing_{language}", []).append((text, right, 0))
    return sets
