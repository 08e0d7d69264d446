#!/usr/bin/env python3
"""Third training, beside the others or after them: the model that names a picture.

    python scripts/train_emoji/train_describing.py DATA OUT --seconds 150

Shows the font's pictures moved, scaled, blurred and noisy on any colour; once OUT/vae is there, also as the autoencoder paints
them. Writes OUT/describe.
"""

import argparse
import json
import pathlib
import random
import time

import numpy
import torch
from diffusers import AutoencoderKL
from tokenizers import Tokenizer
from torch.nn import functional

import checkpoint
import decoder
import describer
import optimiser
import questions
import train_autoencoder
import vocabulary

TEXT = decoder.Config(vocabulary=vocabulary.SIZE, hidden=192, intermediate=512, layers=4, heads=6, kv_heads=2, head_dim=32,
                      bias=True, head_norm=False)
TOKENS = 112


class Conversations:
    """All questions and names as arrays, made once, so that a batch is a lookup on the device."""

    def __init__(self, names, tokenizer, device):
        self.pad = tokenizer.token_to_id("<|endoftext|>")
        self.image_pad = tokenizer.token_to_id("<|image_pad|>")
        self.prompts, self.languages = [], []
        for language, texts in (("en", questions.ENGLISH), ("zh", questions.CHINESE)):
            for text in texts:
                for image_first in (True, True, True, False):
                    self.prompts.append(tokenizer.encode(questions.conversation(text, image_first)).ids)
                    self.languages.append(language)
        self.answers = {language: [tokenizer.encode(name[language] + "<|im_end|>").ids for name in names]
                        for language in ("en", "zh")}
        self.device = device

    def batch(self, r, emoji):
        """-> ids, targets (-100 where not asked), positions, image places; on the device"""
        ids = numpy.full((len(emoji), TOKENS), self.pad)
        targets = numpy.full((len(emoji), TOKENS), -100)
        positions, places = numpy.zeros((len(emoji), 3, TOKENS), int), []
        for row, number in enumerate(emoji):
            prompt = r.randrange(len(self.prompts))
            head, tail = self.prompts[prompt], self.answers[self.languages[prompt]][number]
            count = len(head) + len(tail)
            ids[row, :count] = head + tail
            targets[row, len(head) - 1:count - 1] = tail
            position, where = questions.positions_of(ids[row, :count], self.image_pad)
            positions[row, :, :count] = position
            places.append(where)
        return [torch.from_numpy(x).to(self.device, non_blocking=True) for x in (ids, targets, positions, numpy.stack(places))]


def augment(pictures):
    """[n, 3, 128, 128] in -1..1 -> [n, 3, 140, 140] in 0..1: moved, scaled, blurred, noisy, rounded"""
    n, device = len(pictures), pictures.device
    scale = 1 + 0.06 * (2 * torch.rand(n, device=device) - 1)
    shift = 0.05 * (2 * torch.rand(n, 2, device=device) - 1)
    still = (torch.rand(n, device=device) < 0.4).float()
    scale, shift = scale * (1 - still) + still, shift * (1 - still)[:, None]
    theta = torch.zeros(n, 2, 3, device=device)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, :, 2] = shift
    moved = functional.grid_sample(pictures, functional.affine_grid(theta, pictures.shape, align_corners=False),
                                   padding_mode="border", align_corners=False)
    soft = functional.avg_pool2d(functional.pad(moved, (1, 1, 1, 1), mode="replicate"), 3, 1)
    coarse = functional.interpolate(functional.avg_pool2d(moved, 2), scale_factor=2, mode="bilinear")
    kind = torch.rand(n, 1, 1, 1, device=device)
    moved = torch.where(kind < 0.15, soft, torch.where(kind < 0.25, coarse, moved))
    noise = 0.08 * torch.rand(n, 1, 1, 1, device=device) * (torch.rand(n, 1, 1, 1, device=device) < 0.5)
    moved = moved + noise * torch.randn_like(moved)
    resized = functional.interpolate(moved, (describer.SIDE,) * 2, mode="bicubic", antialias=True)
    return ((resized / 2 + 0.5).clamp(0, 1) * 255).round() / 255


class Painter:
    """Pictures of emoji, also as the autoencoder paints them once it is trained."""

    def __init__(self, data, out, device):
        glyphs = torch.from_numpy(numpy.load(data / "glyphs.npz")["glyphs"])
        self.glyphs = glyphs.permute(0, 3, 1, 2).contiguous().to(device)
        self.colours = train_autoencoder.palette(device)
        self.out, self.painted, self.device = out, None, device

    @torch.no_grad()
    def look_for_autoencoder(self):
        if self.painted is not None or not (self.out / "latents.pt").exists():
            return
        vae = AutoencoderKL.from_pretrained(self.out / "vae", torch_dtype=torch.float32).to(self.device)
        latents = torch.load(self.out / "latents.pt")
        painted = []
        for row in latents:
            for part in row.split(256):
                part = part.to(self.device).float()
                part = part + 0.12 * torch.rand(len(part), 1, 1, 1, device=self.device) * torch.randn_like(part)
                picture = vae.decode(part / vae.config.scaling_factor + vae.config.shift_factor).sample
                painted.append(((picture.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8))
        self.painted = torch.cat(painted).view(len(latents), -1, *painted[0].shape[1:])

    def batch(self, emoji):
        n = len(emoji)
        background = torch.randint(len(self.colours), (n,), device=self.device) * (torch.rand(n, device=self.device) < 0.6)
        colours = self.colours[background]
        other = torch.rand(n, 1, device=self.device) < 0.15
        pictures = train_autoencoder.compose(self.glyphs[emoji], torch.where(other, 255 * torch.rand_like(colours), colours))
        if self.painted is not None:
            painted = self.painted[background, emoji].float() / 127.5 - 1
            pictures = torch.where(torch.rand(n, 1, 1, 1, device=self.device) < 0.4, painted, pictures)
        return augment(pictures)


def save(model, tokenizer, folder):
    ids = {token: tokenizer.token_to_id(token) for token in vocabulary.SPECIAL}
    vision, text = model.visual.config, model.model.config
    checkpoint.save(model.state_dict(), folder, "model")
    checkpoint.write_json(folder / "config.json", {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"], "attention_dropout": 0.0, "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"], "hidden_act": "silu", "hidden_size": text.hidden, "image_token_id": ids["<|image_pad|>"],
        "initializer_range": 0.02, "intermediate_size": text.intermediate, "max_position_embeddings": 128000,
        "max_window_layers": text.layers, "model_type": "qwen2_5_vl", "num_attention_heads": text.heads,
        "num_hidden_layers": text.layers, "num_key_value_heads": text.kv_heads, "rms_norm_eps": 1e-06,
        "rope_scaling": {"type": "mrope", "mrope_section": list(describer.SECTIONS)}, "rope_theta": 1000000.0,
        "sliding_window": 32768, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_cache": True,
        "use_sliding_window": False, "video_token_id": ids["<|video_pad|>"],
        "vision_config": {"depth": vision.depth, "fullatt_block_indexes": list(vision.full), "hidden_act": "silu",
                          "hidden_size": vision.hidden, "in_channels": 3, "in_chans": 3, "intermediate_size": vision.intermediate,
                          "model_type": "qwen2_5_vl", "num_heads": vision.heads, "out_hidden_size": vision.out,
                          "patch_size": describer.PATCH, "spatial_merge_size": describer.MERGE,
                          "spatial_patch_size": describer.PATCH, "temporal_patch_size": 2, "tokens_per_second": 2,
                          "window_size": describer.WINDOW},
        "vision_end_token_id": ids["<|vision_end|>"], "vision_start_token_id": ids["<|vision_start|>"],
        "vision_token_id": ids["<|vision_pad|>"], "vocab_size": text.vocabulary})
    checkpoint.write_json(folder / "generation_config.json", {
        "bos_token_id": ids["<|endoftext|>"], "do_sample": True, "eos_token_id": [ids["<|im_end|>"], ids["<|endoftext|>"]],
        "pad_token_id": ids["<|endoftext|>"], "repetition_penalty": 1.0, "temperature": 1e-06})
    # Every square picture becomes 140x140 pixels, the size that was trained: between 112x140 and 140x168.
    checkpoint.write_json(folder / "preprocessor_config.json", {
        "min_pixels": 112 * 140, "max_pixels": 140 * 168, "patch_size": describer.PATCH, "temporal_patch_size": 2,
        "merge_size": describer.MERGE, "image_mean": list(describer.MEAN), "image_std": list(describer.STD),
        "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor"})
    checkpoint.write_json(folder / "chat_template.json", {"chat_template": questions.CHAT_TEMPLATE})
    vocabulary.save(tokenizer, folder, questions.CHAT_TEMPLATE)


@torch.no_grad()
def first_tokens_right(model, talk, painter, count):
    """Share of clean pictures on white whose whole name the model would say, each token given those before"""
    model.eval()
    r, right = random.Random(0), 0
    for begin in range(0, count, 256):
        emoji = list(range(begin, min(begin + 256, count)))
        ids, targets, positions, places = talk.batch(r, emoji)
        pictures = train_autoencoder.compose(painter.glyphs[emoji], painter.colours[:1].expand(len(emoji), 3))
        rows = describer.patches_of(functional.interpolate(pictures, (140, 140), mode="bicubic", antialias=True) / 2 + 0.5)
        wrong = (model(rows, ids, positions, places).argmax(-1) != targets) & (targets >= 0)
        right += (~wrong.any(1)).sum().item()
    model.train()
    return right / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--steps", type=int, help="train so many steps instead")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(2)
    r = random.Random(2)
    names = json.loads((args.data / "phrases.json").read_text())["names"]
    tokenizer = Tokenizer.from_file(str(args.data / "tokenizer" / "tokenizer.json"))
    talk = Conversations(names, tokenizer, device)
    painter = Painter(args.data, args.out, device)
    model = describer.Describer(describer.Vision(), TEXT).to(device)
    if args.compile:
        for block in [*model.visual.blocks, *model.model.layers]:
            block.compile(dynamic=False)
    trained = optimiser.Optimiser([(model, 2e-3, 1.5e-3)], fused=device == "cuda")
    mean = optimiser.Mean(model)
    step, start = 0, time.monotonic()
    while (done := step / args.steps if args.steps else (time.monotonic() - start) / args.seconds) < 1:
        emoji = [r.randrange(len(names)) for _ in range(args.batch)]
        ids, targets, positions, places = talk.batch(r, emoji)
        rows = describer.patches_of(painter.batch(torch.tensor(emoji, device=device)))
        with torch.autocast(device, torch.bfloat16):
            logits = model(rows, ids, positions, places)
        loss = functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        loss.backward()
        trained.set_rates(optimiser.schedule(done))
        trained.step()
        mean.update()
        if step % 500 == 0:
            print(f"describing {time.monotonic() - start:.0f} s step {step} loss {loss.item():.4f}", flush=True)
            painter.look_for_autoencoder()
        step += 1
    mean.swap()
    plain = describer.Describer(describer.Vision(), TEXT).to(device)
    plain.load_state_dict(model.state_dict())
    checkpoint.rounded(plain)
    share = first_tokens_right(plain, talk, painter, len(names))
    print(f"describing {sum(p.numel() for p in plain.parameters())} parameters {step} steps, {100 * share:.2f} % named right, "
          f"autoencoder's pictures seen: {painter.painted is not None}", flush=True)
    save(plain, tokenizer, args.out / "describe")
    checkpoint.write_json(args.out / "describing.json", {"steps": step, "named_right": share})


if __name__ == "__main__":
    main()
