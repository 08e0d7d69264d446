#!/usr/bin/env python3
"""Second training: text encoder and denoiser.

    python scripts/train_emoji/train_drawing.py DATA OUT --seconds 330

While the latents are not there yet (train_autoencoder.py may run beside this one), the text encoder alone learns which emoji
a caption names. Then both learn to draw, by flow matching. Writes OUT/text_encoder, transformer, and drawing.json.
"""

import argparse
import copy
import json
import pathlib
import time

import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

import captions
import checkpoint
import decoder
import denoiser
import feed
import optimiser
import recorded
import test_sets
import vocabulary

TEXT = decoder.Config(vocabulary=vocabulary.SIZE, hidden=224, intermediate=640, layers=5, heads=8, kv_heads=4, head_dim=32,
                      dropout=0.1)
TINY_TEXT = decoder.Config(vocabulary=vocabulary.SIZE, hidden=64, intermediate=128, layers=2, heads=2, kv_heads=1, head_dim=32)
TINY = denoiser.Config(dim=96, heads=3, layers=1, caption=64)


class Heads(nn.Module):
    """Names emoji and background from the mean of a caption's features. Thrown away in the end."""

    def __init__(self, hidden, emoji):
        super().__init__()
        self.head_emoji = nn.Linear(hidden, emoji)
        self.head_background = nn.Linear(hidden, len(captions.COLOURS))

    def forward(self, features, real):
        pooled = (features.float() * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        pooled = functional.layer_norm(pooled, pooled.shape[-1:])
        return self.head_emoji(pooled), self.head_background(pooled)


@torch.no_grad()
def nearest(text, model, known, tokenizer, texts, noise):
    """Draws the texts -> of each picture the number of the nearest of known [n, values]. On a GPU in bfloat16."""
    device = known.device
    ids, real, _ = feed.encode(tokenizer, texts, feed.SHORT)
    ids, real = torch.from_numpy(ids).to(device), torch.from_numpy(real).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        drawn = denoiser.sample(model, text.features(ids), real, noise).flatten(1).float()
    return (known.pow(2).sum(1) - 2 * drawn @ known.T).argmin(1).tolist()


def text_config(config, tokenizer):
    return {"architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
            "bos_token_id": tokenizer.token_to_id("<|endoftext|>"), "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
            "head_dim": config.head_dim, "hidden_act": "silu", "hidden_size": config.hidden, "initializer_range": 0.02,
            "intermediate_size": config.intermediate, "max_position_embeddings": 40960, "max_window_layers": config.layers,
            "model_type": "qwen3", "num_attention_heads": config.heads, "num_hidden_layers": config.layers,
            "num_key_value_heads": config.kv_heads, "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 1000000,
            "sliding_window": None, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_cache": True,
            "use_sliding_window": False, "vocab_size": config.vocabulary}


class Training:
    def __init__(self, args):
        self.args = args
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(args.seed)
        self.data = json.loads((args.data / "phrases.json").read_text())
        path = args.data / "tokenizer" / "tokenizer.json"
        self.tokenizer = Tokenizer.from_file(str(path))
        self.sets = test_sets.build(self.data)
        self.feed = feed.Feed(self.data["table"], path, args.batch, args.workers, args.seed)
        self.text = decoder.Decoder(TINY_TEXT if args.tiny else TEXT).to(self.device)
        self.denoiser = denoiser.Denoiser(TINY if args.tiny else denoiser.Config()).to(self.device)
        self.heads = Heads(self.text.config.hidden, len(self.data["emoji"])).to(self.device)
        if args.start:
            self.text.load_state_dict({k.removeprefix("model."): v for k, v in checkpoint.read(args.start / "text_encoder").items()})
            if (args.start / "transformer").exists():
                self.denoiser.load_state_dict(checkpoint.read(args.start / "transformer"))
            if (args.start / "heads").exists():
                self.heads.load_state_dict(checkpoint.read(args.start / "heads"))
        self.start = time.monotonic()
        for layer in [*self.text.layers, *self.denoiser.noise_refiner, *self.denoiser.context_refiner, *self.denoiser.layers]:
            if args.compile:
                layer.compile(dynamic=False)

    def say(self, text):
        print(f"drawing {time.monotonic() - self.start:5.0f} s  {text}", flush=True)

    def head_loss(self, batch, features):
        emoji, background = self.heads(features, batch["real"])
        return (functional.cross_entropy(emoji, batch["emoji"], label_smoothing=0.05) +
                0.3 * functional.cross_entropy(background, batch["background"]))

    @torch.no_grad()
    def named_right(self, name):
        """Share of a test set whose emoji the throw-away head names"""
        text = decoder.Decoder(self.text.config).to(self.device).eval()  # not the compiled one: sizes vary here
        text.load_state_dict(self.text.state_dict())
        rows = self.sets[name]
        ids, real, _ = feed.encode(self.tokenizer, [row[0] for row in rows], feed.SHORT)
        ids, real = torch.from_numpy(ids).to(self.device), torch.from_numpy(real).to(self.device)
        found = torch.cat([self.heads(text.features(i), r)[0].argmax(-1) for i, r in zip(ids.split(512), real.split(512))])
        return sum(guess in row[1] for guess, row in zip(found.tolist(), rows)) / len(rows)

    def warm_up(self):
        """Compiles what will be needed later, while the autoencoder still trains."""
        widths = set()
        while self.args.compile and len(widths) < 2:
            batch = self.feed.get(self.device)
            widths.add(batch["ids"].shape[1])
            blank = torch.zeros(len(captions.COLOURS), len(self.data["emoji"]), 16, 16, 16, dtype=torch.half, device=self.device)
            sum(self.velocity_loss(blank, batch)).backward()
        for module in (self.text, self.denoiser, self.heads):
            module.zero_grad(set_to_none=True)
        self.say("compiled")

    def learn_words(self):
        """The text encoder and the heads alone, until the latents are there or the steps are done."""
        trained = optimiser.Optimiser([(self.text, 2e-3, 2e-3), (self.heads, 2e-3, 2e-3)], fused=self.device == "cuda")

        def learn(batch):
            with torch.autocast(self.device, torch.bfloat16):
                loss = self.head_loss(batch, self.text.features(batch["ids"]))
            loss.backward()
            trained.step()
            return loss.detach()

        one_step = recorded.Recorded(learn, self.device)
        for step in range(self.args.word_steps):
            done = step / self.args.word_steps
            trained.set_rates(min(1.0, step / 100 + 0.01) * (1 - 0.7 * done))
            loss = one_step(self.feed.get(self.device))
            if step % 1000 == 999 or step + 1 == self.args.word_steps:
                sets = [name for name in self.sets if name.startswith(("choosing", "paraphrases", "riddles", "names"))]
                self.say(f"words step {step + 1} loss {loss.item():.3f} " +
                         " ".join(f"{name} {100 * self.named_right(name):.1f}" for name in sets))
                if step + 1 >= self.args.min_word_steps and self.args.latents.exists():
                    break

    def what_to_draw(self, batch, features):
        """The emoji each caption is drawn as: its own, or another that the heads find far likelier. So a vague text is learnt as
        its likeliest picture; with all that fit it the model would draw one of them at random."""
        if not self.args.decided:
            return batch["emoji"]
        likely = self.heads(features.detach(), batch["real"])[0].softmax(-1)
        best, number = likely.max(-1)
        own = likely.gather(-1, batch["emoji"][:, None]).squeeze(-1)
        return torch.where(own < self.args.decided * best, number, batch["emoji"])

    def velocity_loss(self, latents, batch):
        size = len(batch["ids"])
        with torch.autocast(self.device, torch.bfloat16):
            features = self.text.features(batch["ids"])
            words = self.head_loss(batch, features)
            with torch.no_grad():
                emoji = self.what_to_draw(batch, features)
        clean = latents[batch["background"], emoji].float()
        noise = torch.randn_like(clean)
        u = (torch.arange(size, device=self.device) + torch.rand(size, device=self.device)) / size
        sigma = (3 * u / (1 + 2 * u))[:, None, None, None]
        with torch.autocast(self.device, torch.bfloat16):
            out = self.denoiser((1 - sigma) * clean + sigma * noise, 1 - sigma.flatten(), features, batch["real"])
        return functional.mse_loss(out.float(), clean - noise), words

    def learn_drawing(self, latents):
        args = self.args
        text_rate = args.rate * args.text_rate
        trained = optimiser.Optimiser([(self.denoiser, args.rate * 2e-3, args.rate * 1.2e-3),
                                       (self.text, text_rate * 2e-3, text_rate * 1.2e-3),
                                       (self.heads, 1e-3, 1e-3)], fused=self.device == "cuda")

        def learn(batch):
            velocity, words = self.velocity_loss(latents, batch)
            (velocity + args.words_weight * words).backward()
            trained.step()
            return velocity.detach(), words.detach()

        one_step = recorded.Recorded(learn, self.device)
        both = nn.ModuleList([self.text, self.denoiser])
        mean = optimiser.Mean(both)
        step, begin, marks = 0, time.monotonic(), list(args.marks)
        args.seconds = min(args.seconds, args.deadline - (begin - self.start))
        while True:
            done = step / args.steps if args.steps else (time.monotonic() - begin) / args.seconds
            if done >= (marks[0] if marks else 1):
                self.report(latents, mean, both, step, marks[0] if marks else 1)
                if not marks:
                    return
                marks.pop(0)
                begin += 0 if args.steps else time.monotonic() - begin - done * args.seconds  # measuring does not count
            trained.set_rates(optimiser.schedule(min(done, 1.0)))
            velocity, words = one_step(self.feed.get(self.device))
            mean.update()
            if step % 500 == 0:
                self.say(f"step {step} velocity {velocity.item():.4f} words {words.item():.3f}")
            step += 1

    @torch.no_grad()
    def report(self, latents, mean, both, step, done):
        """Exports the running mean and measures it: the nearest of all training latents should be a right one."""
        mean.swap()
        text = decoder.Decoder(self.text.config).to(self.device).eval()
        text.load_state_dict(self.text.state_dict())
        model = denoiser.Denoiser(self.denoiser.config).to(self.device).eval()
        model.load_state_dict(self.denoiser.state_dict())
        mean.swap()
        checkpoint.rounded(text)
        checkpoint.rounded(model)
        result = {"steps": step}
        pool = latents.flatten(0, 1).flatten(1).float()
        for name, rows in self.sets.items():
            if done < 1:
                rows = rows[:512]
            right = 0
            for begin in range(0, len(rows), 512):
                part = rows[begin:begin + 512]
                noise = torch.randn(len(part), *latents.shape[2:], device=self.device)
                found = nearest(text, model, pool, self.tokenizer, [row[0] for row in part], noise)
                for guess, row in zip(found, part):
                    right += guess % latents.shape[1] in row[1] and guess // latents.shape[1] == row[2]
            result[name] = right / len(rows)
        self.say(f"step {step} measured " + " ".join(f"{k} {100 * v:.1f}" for k, v in result.items() if k != "steps"))
        out = self.args.out
        checkpoint.save({f"model.{k}": v for k, v in text.state_dict().items()}, out / "text_encoder", "model")
        checkpoint.write_json(out / "text_encoder" / "config.json", text_config(self.text.config, self.tokenizer))
        checkpoint.save(model.state_dict(), out / "transformer", "diffusion_pytorch_model")
        checkpoint.write_json(out / "transformer" / "config.json", self.denoiser.config.as_json())
        checkpoint.save(self.heads.state_dict(), out / "heads", "model")
        checkpoint.write_json(out / "drawing.json", result)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=330, help="of learning to draw; the schedule follows the clock")
    parser.add_argument("--deadline", type=float, default=float("inf"), help="seconds after the start at which to end")
    parser.add_argument("--steps", type=int, help="learn so many steps instead")
    parser.add_argument("--word-steps", type=int, default=20000, help="of the text encoder alone, at most")
    parser.add_argument("--min-word-steps", type=int, default=3000)
    parser.add_argument("--text-rate", type=float, default=0.5, help="of the text encoder's learning rate when drawing")
    parser.add_argument("--rate", type=float, default=1.0, help="factor of all learning rates when drawing")
    parser.add_argument("--words-weight", type=float, default=0.05, help="of naming the emoji beside drawing it")
    parser.add_argument("--latents", type=pathlib.Path, help="default: OUT/latents.pt")
    parser.add_argument("--decided", type=float, default=0.3, help="below this share of the likeliest emoji's probability a caption's own "
                        "emoji is not drawn; 0: always draw it")
    parser.add_argument("--start", type=pathlib.Path, help="a folder with text_encoder and perhaps heads and transformer to continue from")
    parser.add_argument("--marks", type=float, nargs="*", default=[0.35, 0.7], help="parts of the time at which to measure")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--tiny", action="store_true", help="narrow models, to try the script")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    args.latents = args.latents or args.out / "latents.pt"
    torch.set_float32_matmul_precision("high")
    training = Training(args)
    training.warm_up()
    training.learn_words()
    while not args.latents.exists():
        time.sleep(0.5)
    latents = torch.load(args.latents).to(training.device)
    training.learn_drawing(latents)
    training.feed.stop()


if __name__ == "__main__":
    main()
