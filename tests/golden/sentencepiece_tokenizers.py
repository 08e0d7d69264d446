#!/usr/bin/env python3
"""Golden data of tokenizers that come from SentencePiece. Needs requirements.txt beside this file.

    TRIREME_GEMMA_TOKENIZER=.../tokenizer.json python tests/golden/sentencepiece_tokenizers.py

tokenizer_gemma3.jsonl      hard texts for Gemma 3's released tokenizer, which does not ship with the project
tokenizer_xlmr.json.gz      a Unigram model in XLM-R's layout with the whole nmt_nfkc table, trained here
tokenizer_xlmr.jsonl        texts for it: `ids` of the text alone, `whole` with the template; `later` and `later_decoded` by the
                            same model in the layout that transformers converts to today
tokenizer_xlmr_marks.json   first and last of each run of characters that the table takes together with a letter before them
"""

import gzip
import io
import json
import os
import pathlib
import random

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

from tokenizer import SENTENCES, random_texts, runs, write_lines

HERE = pathlib.Path(__file__).resolve().parent

XML = [
    "<character_1><n>miku</n><gender>1girl</gender><appearance>aqua_eyes, long_hair, twintails</appearance></character_1>",
    "<general_tags>\n  <style>anime, flat colour</style>\n  <background>white</background>\n</general_tags>",
    "<character_1>\n\t<n>$character_1$</n>\n\t<pose>sitting</pose>\n</character_1>\n\n\n<b>bold</b> <table><tr><td>1</td></tr>",
    "<img></img><br><p>text</p><h1>title</h1> <unused3>", "You are an assistant designed to generate images.<Prompt Start>",
    "<bos>a<eos> <pad><unk><mask> <start_of_turn>user\nhi<end_of_turn>\n<image_soft_token>", "<s>a</s> <pad> <mask> <unk> b",
    "a  b   c    d     e      f", "   three", "three   ", "▁▁ a▁b ▁", "▁", "\n▁\n", "<0x41><0x0A> 0x41", "<0xE4>",
    "１girl，ＡＢＣ　ｘ ﾊﾝｶｸ ｶﾞ ㍍ ﷺ", "™ ª º ² ½ Ⅳ ﬁ ffi ǆ ŉ ſ", "a\u0300\u0301 e\u0301\u0302 o\u0308\u0323 \u0300 x\u0300\u200d",
    "A\u030a\u0301 n\u0303\u0303 s\u0323\u0307 \u1e61\u0323 i\u0307\u0301", "\r\n\r\n x \r y \n z", "a\u00adb\u200bc\ufeffd\u2060e",
    "क्षि त्र ज्ञ \u0915\u093c \u0958", "각\u11a8 \u1100\u1161\u11a8 \u1112\u1161\u11ab", "กำ เกม น้ำ", "ヷ か\u3099 は\u309a",
    "™\u0301 ™\u200d ª\u0301 ª\u0300\u0301 ²\u20dd", "\u0378 \U000e0041 \ue000 \U0001fae8 \U0001f9d1\u200d\U0001f680",
    "x" * 300, "é" * 50 + " " + "字" * 70, "٪ ؟ \u0640ـــ لا ﻻ", "  \u3000 \u00a0 mixed \u2003 blanks \u202f ", "\x00\x01\x02 a\x7fb",
]


def texts(count):
    return XML + SENTENCES + list(random_texts(count))


def gemma_like(corpus, vocabulary):
    """A small tokenizer in Gemma's layout: byte tokens, runs of blanks and tags as tokens of their own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    plain = ["<mask>", "\n\n", "\n\n\n", "▁▁", "▁▁▁", "▁▁▁▁", "<b>", "</b>", "<table>", "</table>"]
    pieces = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=special + plain + pieces, show_progress=False,
                                  min_frequency=2)
    tokenizer.train_from_iterator(corpus, trainer)
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = [{**token, "special": token["content"] in special, "normalized": False}
                               for token in content["added_tokens"] if token["content"] not in pieces]
    content["model"].update(unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    content["pre_tokenizer"] = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
                                "invert": False}
    content["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]}
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", pair="<bos> $A <bos> $B",
                                                             special_tokens=[("<bos>", tokenizer.token_to_id("<bos>"))])
    return tokenizer


def xlmr_like(corpus, vocabulary, **options):
    """A Unigram model with fairseq's ids: the four special tokens first, the pieces, <mask> last."""
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for text in corpus for line in text.splitlines() if line and "\x00" not in line]),
        model_writer=trained, model_type="unigram", vocab_size=vocabulary, hard_vocab_limit=False, num_threads=1,
        character_coverage=0.995, minloglevel=2, **options)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(trained.getvalue())
    pieces = [(piece.piece, piece.score) for piece in proto.pieces][3:]
    names = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer = Tokenizer(models.Unigram([(name, 0.0) for name in names] + pieces + [("<mask>", 0.0)], unk_id=3))
    tokenizer.normalizer = normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in names])
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
                                                             special_tokens=[("<s>", 0), ("</s>", 2)])
    return tokenizer


def later_layout(tokenizer):
    """The same model as transformers' converter lays it out."""
    later = Tokenizer.from_str(tokenizer.to_str())
    later.normalizer = normalizers.Sequence([tokenizer.normalizer, normalizers.Strip(left=False, right=True),
                                             normalizers.Replace(Regex(" {2,}"), "▁")])
    later.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    later.decoder = decoders.Metaspace(prepend_scheme="always")
    return later


def lines(tokenizer, all_texts, later=None):
    for number, text in enumerate(all_texts):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        line = {"id": f"text-{number:03}", "text": text, "ids": ids,
                "decoded": tokenizer.decode(ids, skip_special_tokens=False), "whole": tokenizer.encode(text).ids}
        if later:
            line["later"] = later.encode(text, add_special_tokens=False).ids
            line["later_decoded"] = later.decode(line["later"], skip_special_tokens=False)
        yield line
    random.seed(9)
    size = tokenizer.get_vocab_size()
    for number in range(100):
        low = random.choice([0, 0, 230])
        ids = [random.randrange(low, min(size, low + random.choice([300, size]))) for _ in range(random.randint(1, 12))]
        yield {"id": f"ids-{number:03}", "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False),
               "plain": tokenizer.decode(ids, skip_special_tokens=True)}


def marks(tokenizer):
    """Behind a letter that the table changes, what belongs to the letter is lost."""
    normalize = tokenizer.normalizer.normalize_str
    alone = {c: normalize(chr(c)) for c in range(0x80, 0x10000) if not 0xD800 <= c <= 0xDFFF}
    return runs(c for c, text in alone.items() if normalize("ª" + chr(c)) != "a" + text)


def main():
    gemma = os.environ.get("TRIREME_GEMMA_TOKENIZER")
    if gemma:
        write_lines(HERE / "tokenizer_gemma3.jsonl", lines(Tokenizer.from_file(gemma), texts(120)))
    xlmr = xlmr_like(texts(0) * 2, 1500, normalization_rule_name="nmt_nfkc")
    (HERE / "tokenizer_xlmr.json.gz").write_bytes(gzip.compress(xlmr.to_str().encode(), mtime=0))
    write_lines(HERE / "tokenizer_xlmr.jsonl", lines(xlmr, texts(120), later_layout(xlmr)))
    (HERE / "tokenizer_xlmr_marks.json").write_text(json.dumps(marks(xlmr)) + "\n")


if __name__ == "__main__":
    main()
