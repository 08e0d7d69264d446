"""What people may call each emoji: phrases of four origins in two languages, less what is held out.

Origins: name (Unicode's), written (data/phrases, by hand), keyword (Unicode's and the emoji package's), wordnet.
Held out for good: data/held_out, two exams by two writers. Held out to choose settings by: one hand-written phrase in fifty.
"""

import collections
import math
import pathlib
import re
import unicodedata
import zlib

import wordnet

DATA = pathlib.Path(__file__).resolve().parent / "data"
ORIGINS = ("name", "written", "keyword", "wordnet")
# A keyword of more emoji than this says too little about any of them.
MAX_SHARED = 4
# A written phrase of one word may be of some more, a longer one of any number.
MAX_SHARED_WRITTEN = 8
# Nor a word of loose descriptions.
MAX_SHARED_WORD = 50
CHINESE = re.compile(r"[\u3400-\u9fff]")
ARTICLES = {"a", "an", "the"}
EMPTY = set("a an and are as at be by for from has have i in is it its my of on or that the this to with you your not no s".split())
EMPTY_CHINESE = set("的 了 是 在 有 和 着 一 个 一个 一只 里 上 中 与 或 为 不".split())


def language_of(text):
    return "zh" if CHINESE.search(text) else "en"


def normalise(text):
    """What two phrases have in common if they differ in case, articles, punctuation and blanks only."""
    text = unicodedata.normalize("NFKC", text).lower()
    words = "".join(c if c.isalnum() else " " for c in text.replace("'", "")).split()
    joined = [word for word in words if word not in ARTICLES]
    return "".join(joined) if CHINESE.search(text) else " ".join(joined)


def read_held_out():
    """-> exam -> list of (text, list of right emoji)"""
    result = {}
    for path in sorted((DATA / "held_out").glob("*.tsv")):
        lines = path.read_text().splitlines()
        result[path.stem] = [(text, emoji.split()) for text, emoji in (line.split("\t") for line in lines)]
    return result


def held_out_keys():
    return {normalise(text) for rows in read_held_out().values() for text, _ in rows}


def read_attributes():
    """emoji -> language -> words that describe it: kind, looks, parts, use, place"""
    result = collections.defaultdict(lambda: {"en": [], "zh": []})
    for path in sorted(DATA.glob("attributes_*.tsv")):
        for line in path.read_text().splitlines():
            emoji, english, chinese = line.split("\t")
            result[emoji]["en"] += [word.strip() for word in english.split(",")]
            result[emoji]["zh"] += [word.strip() for word in chinese.split(",")]
    return result


def content_words(text):
    """The words of a phrase that mean something alone"""
    import jieba  # here: only prepare.py needs it, the trainings may run where it is not installed

    if CHINESE.search(text):
        return [word for word in jieba.cut(text) if CHINESE.search(word) and word not in EMPTY_CHINESE]
    return [word for word in re.findall(r"[a-z0-9'-]+", text.lower()) if word not in EMPTY and len(word) > 1]


def add_words(catalogue, table):
    """Adds language -> "words" to each entry: its attributes, then the content words of its phrases; none that is held out."""
    attributes = read_attributes()
    held_out = held_out_keys()
    count = collections.Counter()
    for item, entry in zip(catalogue, table):
        for language, groups in entry.items():
            words = attributes[item.text][language] * 2
            for origin in ("name", "written", "keyword"):
                for phrase in groups[origin]:
                    words += content_words(phrase)
            groups["words"] = [word for word in words if word and normalise(word) not in held_out]
            count.update(set(groups["words"]))
    for entry in table:
        for groups in entry.values():
            groups["words"] = [word for word in groups["words"] if count[word] <= MAX_SHARED_WORD]


def read_written():
    """emoji -> language -> phrases"""
    result = collections.defaultdict(lambda: collections.defaultdict(list))
    for path in sorted((DATA / "phrases").glob("*.tsv")):
        for line in path.read_text().splitlines():
            emoji, english, chinese = line.split("\t")
            result[emoji]["en"] += [phrase.strip() for phrase in english.split(";")]
            result[emoji]["zh"] += [phrase.strip() for phrase in chinese.split(";")]
    return result


def simple_name(name):
    """The noun in Unicode's name: dog of "dog face", red hair of "person: red hair"."""
    name = re.sub(r"^(flag|person|keycap): ", "", name)
    return re.sub(r" (face|button|sign|symbol)$", "", name)


def from_wordnet(item):
    sense = wordnet.look_up(simple_name(item.names["en"]))
    return sense.synonyms + sense.glosses + sense.kinds if sense else []


def is_for_choosing(phrase):
    return zlib.crc32(normalise(phrase).encode()) % 50 == 0


def most_shared(origin, key):
    """Of how many emoji a phrase may be"""
    if origin != "written":
        return MAX_SHARED
    is_word = len(key) <= 2 if CHINESE.search(key) else " " not in key
    return MAX_SHARED_WRITTEN if is_word else math.inf


def read_phrases(catalogue):
    """-> (per emoji: language -> origin -> list of phrases, phrases held out to choose settings by: list of (text, emoji))"""
    held_out = held_out_keys()
    written = read_written()
    table, choosing = [], []
    for item in catalogue:
        entry = {language: {origin: [] for origin in ORIGINS} for language in ("en", "zh")}
        for language, groups in entry.items():
            groups["name"] = [item.names[language]]
            groups["keyword"] = item.keywords[language]
            groups["written"] = [p for p in written[item.text][language] if not is_for_choosing(p)]
            choosing += [(p, item.text) for p in written[item.text][language] if is_for_choosing(p)]
        simple = simple_name(item.names["en"])
        if simple != item.names["en"]:
            entry["en"]["keyword"] = entry["en"]["keyword"] + [simple]
        entry["en"]["wordnet"] = from_wordnet(item)
        table.append(entry)
    count = collections.Counter()
    for entry in table:
        count.update({normalise(p) for groups in entry.values() for phrases in groups.values() for p in phrases})
    names = {normalise(item.names[language]) for item in catalogue for language in ("en", "zh")}
    chosen = {normalise(text) for text, _ in choosing}
    for entry in table:
        for groups in entry.values():
            own = {normalise(p) for p in groups["name"]}
            for origin, phrases in groups.items():
                kept = {}
                for phrase in phrases:
                    key = normalise(phrase)
                    fits = origin == "name" or (key not in names | held_out | chosen | own and
                                                count[key] <= most_shared(origin, key))
                    if fits and key and len(phrase) <= 80:
                        kept[key] = phrase
                groups[origin] = list(kept.values())
    add_words(catalogue, table)
    return table, choosing
