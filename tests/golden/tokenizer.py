#!/usr/bin/env python3
"""Golden data of the tokenizer from `tokenizers`. Needs requirements.txt beside this file.

    python tests/golden/tokenizer.py

tokenizer_qwen3.jsonl    hard texts for Qwen's released tokenizer (tests/data/tokenizers), {"id", "text", "ids", "decoded"}
                         a line; then ids that are no text: {"id", "ids", "decoded", "plain"} (without special tokens)
tokenizer_flags.json     a small tokenizer with every flag of added tokens, ignore_merges and GPT-2's splitting
tokenizer_flags.jsonl    texts for it
tokenizer_unicode.json   what the reference takes for letters, numbers, blanks and parts of a word, and which characters
                         its NFC moves or changes between "b" and U+0334: first and last of each run
"""

import gzip
import json
import pathlib
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).resolve().parent
QWEN = HERE.parent / "data" / "tokenizers" / "qwen3.tokenizer.json.gz"

SENTENCES = [
    "", " ", "a", "Hello, world!", "The quick brown fox jumps over the lazy dog.",
    "don't we'll I'VE they'Re it'S he'D I'm",
    "'s't're've'm'll'd", "'S'T'RE'VE'M'LL'D", "x'\u017f y'\u017fs", "\u212a 'K 5\u212a", "'\u017f'\u212a'\u0130'\u0131",
    "it's'it''s' 's 't", "\u2019s \u2019t don\u2019t", "naïve café résumé", "nai\u0308ve cafe\u0301 re\u0301sume\u0301",
    "A\u030a \u212b \u00c5", "q\u0307\u0323 q\u0323\u0307", "\u1e9b\u0323 \u0344 \u0958 \ufb1d",
    "\u1100\u1161\u11a8\uac01\u11a8",
    "a\u0327\u0301\u0334\u0323b", "\u0301\u0302 lone marks", "e\u0301<|im_end|>\u0301e", "e<|im_end|>\u0301",
    "\u3099\u304b\u3099\u30f1\u3099", "\u2126\u2f00\u2adc", "\U0001d15e\U0001d1bb",
    "\u0f71\u0f72\u0f74\u0f73\u0f75\u0f81",
    "你好,世界!这是一个测试。", "日本語のテキスト、カタカナ、ひらがな。", "한국어 텍스트입니다", "繁體中文與简体中文混排 English 123",
    "Привет, мир! Ёлка й", "مرحبا بالعالم ١٢٣", "שָׁלוֹם עולם", "हिन्दी में पाठ १२३", "สวัสดีชาวโลก",
    "ქართული Հայերեն አማርኛ",
    "Ελληνικά ΐ ΰ ᾳ", "tiếng Việt có dấu: ế ệ ữ", "ﬁ ﬂ ﬀ ﬃ ﬆ ß ẞ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚", "㍿㎏①②③ⅣⅤ½¾", "𠀀𠀁𪚥𫝆",
    "👍", "👍🏽", "👩‍👩‍👧‍👦 family", "🇩🇪🇫🇷🇯🇵", "❤️ ❤ ☎︎ ☎️",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "1️⃣2️⃣#️⃣", "😀😃😄text😁", "🧑🏿‍🚀🚀 to the 🌕!!!", "\u200d\u200c\u200b\ufeff", "a\u200db\u200cc",
    "0", "1234567890", "3.14159e-10", "1,000,000.00 $5 €7 ₹9", "2024-01-31T23:59:59Z", "٣٤٥ ३४५ ൩൪",
    "x1y2z3 0x1F 1e9 v2.0.1",
    "\t", "\n", "\r", "\r\n", "\n\n\n", "\r\n\r\n", " \n ", "\t\n\t", "a\nb", "a\r\nb\r\n", "a \n b", "a\n\n  b",
    "  leading",
    "trailing  ", "a  b   c    d", " " * 50, "\t" * 20, "\n" * 30, " " * 100 + "x", "x" + " " * 100, "\n \n \n",
    " \t \t ",
    "if x:\n    return  y\n\n\tz", "\u00a0\u00a0x", "\u2003wide\u3000blank\u205f", "\u2028line\u2029paragraph",
    "\u0085next\u0085\u0085line",
    "a\u180eb \u180e \u180e\u180e", "\u1680x\u202fy", "\x0b\x0c vertical", "a\x1cb\x1dc\x1ed\x1fe",
    " \u0085 \u2028 \u180e \u00a0 x",
    "\x00", "a\x00b", "\x00\x00\x00", "\x01\x02\x03\x04\x05\x06\x07\x08", "\x1b[31mred\x1b[0m", "\x7f\x80\x81\x9f",
    "\x00 \x00\n\x00",
    "<|im_start|>", "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n", "a<|endoftext|>b",
    "<|endoftext|><|endoftext|>",
    "<|im_start", "|im_start|>", "<|im_start|", "<|im_start|><", "<<|im_start|>>", "<|im_<|im_end|>end|>",
    "<|IM_START|>",
    "< |im_start|>", "<|im_start |>", " <|im_end|> ", "x <|im_end|>\n\ny", "<think>\n\n</think>\n\n", "<think",
    "</think><tool_call>",
    "<tool_call>{\"name\": \"f\"}</tool_call><tool_response>", "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>",
    "<|vision_start|><|image_pad|><|vision_end|>",
    "<|repo_name|>x<|file_sep|>", "<|fim_pad|><|quad_start|>", "'<|im_end|>s", "don'<|im_end|>t",
    "<|nothing|> <s> </s> [CLS] <unk>", "Ġ Ċ ĉ Ā",
    "!", "...", "!!!???", "--==++", "// comment", "/* c */ #define X(a) (a)", "{}[]()<>",
    "\"quoted\" 'single' `tick`", "a.b.c::d->e",
    "https://example.com/a?b=c&d=%20#e", "user@example.com", "C:\\path\\to\\file", "\\n\\t\\u0041", "¡¿«»„“”‘’—–…",
    "₀₁² ³ ⁴ ™ © ®",
    "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋", "α≤β≠γ≈δ", "→←↑↓⇒", "░▒▓█▄▀", "a\n!b", " !\n\n x", "?!\r\n?!", " ...\n",
    "\ue000\ue001\uf8ff", "\U000f0000\U0010fffd", "\ufffd\ufffe\uffff", "\U0001ffff\U0010ffff", "\ufdd0",
    "\ufff9\ufffa\ufffb",
    "\u0378\u0379\u05ff", "\u0897\u0898\u1acf a\u0301\u0898\u0323", "\U00010d4e\U000105c0 's 't",
    "x\U00031350's \U0002ebf0't",
    "\U00011935\U00011930 \U00011938", "\U000105d2\u0307", "1\U0001d2c0 \U0001d2d3", "\U00011bf0 \U00016d70",
    "\u1c89\ua7cb\ua7cc\ua7da's",
    "\u202bright to left\u202c \u202dx\u202e", "\u2066iso\u2069late", "abc\u05d0\u05d1\u05d2def",
    "ab\u0300\u0301\u0302\u0303\u0304\u0305\u0306cd",
    "\u110d\u1170\u11a7x \uac00\u11a7\u11a8", "Z" + "\u0310\u0321\u0334\u0345" * 20, "z̷̢̛̪a̸l̶g̴o̵", "a" * 300, "ab" * 200, "the" * 100, "word " * 60,
    "漢" * 100, "é" * 100, "e\u0301" * 60,
    "🎉" * 40, "1" * 60, "-" * 100, "=" * 64, "." * 77, "_" * 33, "abcdefghijklmnopqrstuvwxyz" * 5, "ACGT" * 60,
    "\u0301" * 40,
    "pneumonoultramicroscopicsilicovolcanoconiosis", "Donaudampfschifffahrtsgesellschaftskapitän",
    "CamelCaseAndsnake_case_andKEBAB-case",
    "a photo of a red fox in the snow at sunrise, soft light", "一只红色的狐狸站在雪地里,日出,柔和的光线",
    "<caption>xml prompt</caption>\n<tags>1girl, solo</tags>",
    "masterpiece, best quality, (ultra-detailed:1.2), [blurry]", "SELECT * FROM t WHERE a='it''s' AND b<>1;",
    "def f(x):\n\treturn x**2  # y\n",
    "#!/bin/sh\nset -e\r\necho \"$1\"\n", "{\"a\": [1, 2.5, null, true], \"b\": \"\\u00e9\"}",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "mixed 中文 and עברית and 🎨 and e\u0301 and \t tabs\nand <|im_end|> end", "ÅÄÖ åäö ÆØÅ æøå ŒœŠšŽž",
    "İstanbul ıI iİ", "ǅ ǈ ǋ ʰʱʲ ªº",
    "ⅰⅱⅲ 〇〡〢 ௰௱ ፩፪", "꯰꯱ 𑁦𑁧 𞥐𞥑", "𐎀𐎁 𒀀𒀁 𓀀𓀁", "\u0600\u06dd\u08e2", "a\u00adb\u2060c\u034fd", "²x ½y ①z",
    "x²'s 5't Ⅳ'll",
]

ALPHABETS = [(0x20, 0x7E), (0x00, 0x1F), (0x80, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x5FF),
             (0x600, 0x6FF), (0x900, 0xDFF),
             (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x2FFF), (0x3000, 0x30FF), (0x4E00, 0x9FFF),
             (0xAC00, 0xD7A3), (0xE000, 0xE010), (0xF900, 0xFFFF), (0x10000, 0x1FFFF), (0x1F300, 0x1FAFF),
             (0x20000, 0x2FFFF)]

FRAGMENTS = ["'s", "'LL", " ", "  ", "\n", "\r\n", "<|im_end|>", "12", "the", "e\u0301", "\u200d", "!?"]


def random_texts(count):
    random.seed(7)
    for _ in range(count):
        parts = []
        for _ in range(random.randint(1, 12)):
            if random.random() < 0.4:
                parts.append(random.choice(FRAGMENTS))
            else:
                low, high = random.choice(ALPHABETS)
                parts.append("".join(chr(random.randint(low, high)) for _ in range(random.randint(1, 4))))
        yield "".join(parts)


def write_lines(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="ascii")


def encoded(tokenizer, texts):
    for number, text in enumerate(texts):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        yield {"id": f"text-{number:03}", "text": text, "ids": ids,
               "decoded": tokenizer.decode(ids, skip_special_tokens=False)}


def decoded(tokenizer, size):
    random.seed(8)
    rows = [[], [0], [size], [size + 1000, 5], [tokenizer.token_to_id("<|im_start|>"), 40, tokenizer.token_to_id("<think>")]]
    rows += [[random.randrange(size) for _ in range(random.randint(1, 12))] for _ in range(60)]
    # Single bytes: mostly malformed.
    rows += [[random.randrange(256) for _ in range(random.randint(1, 20))] for _ in range(60)]
    for number, ids in enumerate(rows):
        yield {"id": f"ids-{number:03}", "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False),
               "plain": tokenizer.decode(ids, skip_special_tokens=True)}


def make_flags_tokenizer():
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=360, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(["the cat sat on the mat and that was that", "don't we'll see 1234"], trainer)
    special = [AddedToken("<left>", lstrip=True, special=True, normalized=False),
               AddedToken("<right>", rstrip=True, special=True, normalized=False),
               AddedToken("<both>", lstrip=True, rstrip=True, special=False, normalized=False),
               AddedToken("word", single_word=True, special=False, normalized=False),
               AddedToken("caf\u00e9", special=False, normalized=True),
               AddedToken("e\u0301t\u00e9", special=False, normalized=True),
               AddedToken("blank token", special=True, normalized=True),
               AddedToken("wo", special=False, normalized=True),
               AddedToken("<", special=False, normalized=False),
               AddedToken("<<", special=False, normalized=False),
               AddedToken("the", special=False, normalized=False)]
    tokenizer.add_tokens(special)
    tokenizer.add_special_tokens([token for token in special if token.special])
    return tokenizer


FLAG_TEXTS = [
    "", "a<left>b", "a  \t\u2003<left>  b", "<left>", "   <left>", "a <right>  \n b", "<right>   ", "x <both> y",
    " \u00a0<both>\u3000 y",
    "<right>  <left>  <both>", "<both> <both>", "a word here", "a words sword word", "word", "word word", "(word)",
    "word_", "_word", "wordé", "éword",
    "word\u0301", "word1", "-word-", "word\u200d", "\u24b6word", "word\U0001f130", "word\U0001f14a", "wordⅣ", "word½",
    "café", "cafe\u0301", "cafe", "été e\u0301te\u0301 e\u0301t\u00e9",
    "blank token", "a blank tokens", "two wo", "wo", "<<<", "<<left>", "<< <", "<left<", "the then bathe", "THE the",
    "don't we'll", " leading", "  two", "漢字 the",
    "that that cat", "12345 1 22", "a\u0000<left>\u0000b", "cafe<left>\u0301", "Ġthe Ċ", "the\n\nthe",
    " \n<both>\r\n ", "sword wordword word",
]


def runs(characters):
    result = []
    for character in characters:
        if result and character == result[-1][1] + 1:
            result[-1][1] = character
        else:
            result.append([character, character])
    return result


def unicode_sets():
    characters = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    sets = {}
    for name, pattern in (("letters", r"\p{L}"), ("numbers", r"\p{N}"), ("blanks", r"\s")):
        split = pre_tokenizers.Split(Regex(pattern), behavior="removed")
        sets[name] = runs(c for c in characters if not split.pre_tokenize_str(chr(c)))
    words = Tokenizer(models.BPE())
    words.add_tokens([AddedToken("word", single_word=True, normalized=False)])
    sets["word_characters"] = runs(c for c in characters if not words.encode("word" + chr(c)).ids)
    nfc = normalizers.NFC()
    texts = {c: "b" + chr(c) + "\u0334" for c in characters}
    sets["changed_by_nfc"] = runs(c for c, text in texts.items() if nfc.normalize_str(text) != text)
    return sets


def main():
    qwen = Tokenizer.from_str(gzip.decompress(QWEN.read_bytes()).decode())
    texts = SENTENCES + list(random_texts(150))
    write_lines(HERE / "tokenizer_qwen3.jsonl", [*encoded(qwen, texts), *decoded(qwen, qwen.get_vocab_size())])
    flags = make_flags_tokenizer()
    flags.save(str(HERE / "tokenizer_flags.json"), pretty=False)
    flags = Tokenizer.from_file(str(HERE / "tokenizer_flags.json"))
    write_lines(HERE / "tokenizer_flags.jsonl", encoded(flags, FLAG_TEXTS))
    (HERE / "tokenizer_unicode.json").write_text(json.dumps(unicode_sets()) + "\n", encoding="ascii")
    print(f"{len(texts)} texts for Qwen, {len(FLAG_TEXTS)} for the flags")


if __name__ == "__main__":
    main()
