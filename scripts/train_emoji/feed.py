"""Batches of fresh captions as token ids, drawn by processes of their own."""

import os

import numpy
import torch.multiprocessing
from tokenizers import Tokenizer

import captions
import vocabulary

SHORT, LONG = 32, 64  # tokens that a caption is padded to; Z-Image pads to multiples of 32
LONG_SHARE = 0.04     # of the batches
DESCRIBED = 0.25      # of the captions
SPLIT_SHARE = 0.25    # of the captions that get unusual tokens (BPE dropout), so that parts of words are known, too


def encode(tokenizer, texts, width):
    """-> ids [n, width], mask of the real tokens [n, width], fits [n]"""
    found = tokenizer.encode_batch([vocabulary.PROMPT.format(text) for text in texts], add_special_tokens=False)
    ids = numpy.full((len(found), width), tokenizer.token_to_id("<|endoftext|>"), numpy.int64)
    real = numpy.zeros((len(found), width), bool)
    for row, encoding in enumerate(found):
        count = min(len(encoding.ids), width)
        ids[row, :count] = encoding.ids[:count]
        real[row, :count] = True
    return ids, real, numpy.array([len(encoding.ids) <= width for encoding in found])


def one_batch(drawn, plain, splitting, size, count):
    """-> dict of arrays: ids, real, emoji, background"""
    r = drawn.random
    width = LONG if r.random() < LONG_SHARE else SHORT
    rows = {"ids": [], "real": [], "emoji": [], "background": []}
    have = 0
    while have < size:
        wanted = [(r.randrange(count), drawn.background()) for _ in range(size)]
        texts = [drawn.draw(*pair) for pair in wanted]
        if width == LONG:
            texts = [drawn.draw(emoji, 0) + "; " + drawn.draw(emoji, 0) + "; " + text
                     for text, (emoji, _) in zip(texts, wanted)]
        tokenizer = splitting if r.random() < SPLIT_SHARE else plain
        ids, real, fits = encode(tokenizer, texts, width)
        if width == LONG:
            fits &= real.sum(1) > SHORT
        for name, values in (("ids", ids), ("real", real), ("emoji", numpy.array([p[0] for p in wanted])),
                             ("background", numpy.array([p[1] for p in wanted]))):
            rows[name].append(values[fits])
        have += int(fits.sum())
    return {name: numpy.concatenate(values)[:size] for name, values in rows.items()}


def produce(queue, table, path, size, seed):
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    plain, splitting = Tokenizer.from_file(path), Tokenizer.from_file(path)
    splitting.model.dropout = 0.1
    drawn = captions.Captions(table, seed, described=DESCRIBED)
    while True:
        queue.put(one_batch(drawn, plain, splitting, size, len(table)))


class Feed:
    def __init__(self, table, path, size, workers, seed):
        context = torch.multiprocessing.get_context("spawn")
        self.queues = [context.Queue(8) for _ in range(workers)]
        self.processes = [context.Process(target=produce, args=(queue, table, str(path), size, 1000 * seed + i), daemon=True)
                          for i, queue in enumerate(self.queues)]
        for process in self.processes:
            process.start()
        self.turn = 0

    def get(self, device):
        batch = self.queues[self.turn % len(self.queues)].get()
        self.turn += 1
        return {name: torch.from_numpy(values).to(device, non_blocking=True) for name, values in batch.items()}

    def stop(self):
        for process in self.processes:
            process.kill()
