"""Which emoji the models know, and what Unicode and the `emoji` package call them in English and Chinese."""

import dataclasses
import pathlib
import xml.etree.ElementTree as tree

import emoji as package
from fontTools.ttLib import TTFont

FONT = pathlib.Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
CLDR = pathlib.Path("/usr/share/unicode/cldr/common")
# Flags look alike at this size and are many; twenty are enough to show the idea.
FLAGS = "CN US GB FR DE IT ES JP KR IN BR CA AU RU CH SE GR MX TR ZA".split()
LANGUAGES = {"en": ["en", "en_001", "en_GB", "en_AU", "en_CA", "en_IN"], "zh": ["zh", "zh_Hant"]}


@dataclasses.dataclass
class Emoji:
    text: str                                            # the code points, fully qualified
    names: dict = dataclasses.field(default_factory=dict)     # language -> Unicode's short name
    keywords: dict = dataclasses.field(default_factory=dict)  # language -> other words of Unicode and of the package


def is_wanted(text):
    """One picture a thing: no skin tones, no man or woman of a person, no families."""
    if any(0x1F3FB <= ord(c) <= 0x1F3FF for c in text):
        return False
    if all(0x1F1E6 <= ord(c) <= 0x1F1FF for c in text):
        return "".join(chr(ord(c) - 0x1F1E6 + ord("A")) for c in text) in FLAGS
    if "\u200d" in text and any(c in text for c in "♀♂👨👩👦👧"):
        return False
    return not any(0xE0020 <= ord(c) <= 0xE007F for c in text)


def read_annotations(locale):
    """code points without variation selectors -> (short name or None, keywords)"""
    result = {}
    for folder in ("annotations", "annotationsDerived"):
        path = CLDR / folder / f"{locale}.xml"
        for element in tree.parse(path).getroot().iter("annotation"):
            key = element.get("cp").replace("\ufe0f", "")
            name, words = result.get(key, (None, []))
            if element.text and "↑" not in element.text:
                if element.get("type") == "tts":
                    name = element.text.strip()
                else:
                    words = [word.strip() for word in element.text.split("|")]
            result[key] = (name, words)
    return result


def shortcode_words(text, language):
    """What the `emoji` package says instead of the picture, as words."""
    names = package.EMOJI_DATA[text]
    codes = [names.get(language, "")] + (names.get("alias", []) if language == "en" else [])
    return [code.strip(":").replace("_", " ").strip() for code in codes if code]


def glyph_exists(text, characters):
    return all(ord(c) in characters or c in "\ufe0f\u200d" for c in text)


def read_catalogue():
    """-> list of Emoji in code point order of the package's table"""
    package.config.load_language("zh")
    annotations = {locale: read_annotations(locale) for locales in LANGUAGES.values() for locale in locales}
    characters = TTFont(FONT).getBestCmap()
    catalogue = []
    for text, data in sorted(package.EMOJI_DATA.items()):
        if data["status"] != package.STATUS["fully_qualified"] or not is_wanted(text) or not glyph_exists(text, characters):
            continue
        key = text.replace("\ufe0f", "")
        item = Emoji(text)
        for language, locales in LANGUAGES.items():
            found = [annotations[locale].get(key, (None, [])) for locale in locales]
            if not found[0][0]:
                break
            item.names[language] = found[0][0]
            words = [word for name, keywords in found for word in ([name] if name else []) + keywords]
            words += shortcode_words(text, language)
            item.keywords[language] = sorted(set(word for word in words if word and word != found[0][0]))
        else:
            catalogue.append(item)
    return catalogue
