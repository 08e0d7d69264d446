"""NewBie-image in plain torch, for golden data: no package has it. Written from the published description of the model; what
other packages do have is compared with them in `check`, piece by piece. Weights are dicts of tensors under the official names.
"""

import math

import torch
from torch.nn import functional as F


def rms_norm(x, weight, eps):
    wide = x.float()
    return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)).to(x.dtype) * weight


class NextDit:
    """The transformer. `config`: dim, heads, kv_heads, axes, channels, layers, refiners."""

    def __init__(self, weights, config, eps=1e-5):
        self.w, self.c, self.eps = weights, config, eps

    def linear(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w.get(name + ".bias"))

    def norm(self, name, x, eps=None):
        return rms_norm(x, self.w[name + ".weight"], eps or self.eps)

    def condition(self, t, pooled):
        half = 128
        frequencies = torch.exp(torch.arange(half, dtype=torch.float32) * (-math.log(10000.0) / half))
        angles = torch.tensor([t], dtype=torch.float32)[:, None] * frequencies
        time = torch.cat([angles.cos(), angles.sin()], dim=1)
        time = self.linear("t_embedder.mlp.2", F.silu(self.linear("t_embedder.mlp.0", time)))
        if pooled is None:
            return time
        text = self.linear("clip_text_pooled_proj.1", self.norm("clip_text_pooled_proj.0", pooled[None]))
        return self.linear("time_text_embed.1", F.silu(torch.cat([time, text], dim=1)))

    def turns(self, ids):
        """ids [tokens, 3] -> complex [tokens, head_dim / 2]"""
        parts = []
        for axis, dim in enumerate(self.c["axes"]):
            frequencies = 10000.0 ** -(torch.arange(0, dim, 2, dtype=torch.float64) / dim)
            angles = (ids[:, axis].double()[:, None] * frequencies).float()
            parts.append(torch.polar(torch.ones_like(angles), angles))
        return torch.cat(parts, dim=1)

    def attend(self, prefix, x, turns):
        heads, kv_heads = self.c["heads"], self.c["kv_heads"]
        size = self.c["dim"] // heads
        q, k, v = self.linear(prefix + "attention.qkv", x).split([heads * size, kv_heads * size, kv_heads * size], dim=-1)

        def turned(name, y, count):
            y = self.norm(prefix + "attention." + name, y.view(-1, count, size))
            pairs = torch.view_as_complex(y.float().reshape(-1, count, size // 2, 2))
            return torch.view_as_real(pairs * turns[:, None]).flatten(2).to(x.dtype)

        q, k = turned("q_norm", q, heads), turned("k_norm", k, kv_heads)
        k = k.repeat_interleave(heads // kv_heads, dim=1)
        v = v.view(-1, kv_heads, size).repeat_interleave(heads // kv_heads, dim=1)
        scores = torch.einsum("qhd,khd->hqk", q, k) * size ** -0.5
        out = torch.einsum("hqk,khd->qhd", scores.softmax(-1), v).reshape(len(x), -1)
        return self.linear(prefix + "attention.out", out)

    def block(self, prefix, x, turns, adaln=None):
        scale_a = scale_f = torch.zeros(1)
        gate_a = gate_f = None
        if adaln is not None:
            modulation = self.linear(prefix + "adaLN_modulation.1", F.silu(adaln))[0]
            scale_a, gate_a, scale_f, gate_f = modulation.chunk(4)
        attended = self.attend(prefix, self.norm(prefix + "attention_norm1", x) * (1 + scale_a), turns)
        attended = self.norm(prefix + "attention_norm2", attended)
        x = x + (attended if gate_a is None else gate_a.tanh() * attended)
        h = self.norm(prefix + "ffn_norm1", x) * (1 + scale_f)
        h = F.silu(self.linear(prefix + "feed_forward.w1", h)) * self.linear(prefix + "feed_forward.w3", h)
        h = self.norm(prefix + "ffn_norm2", self.linear(prefix + "feed_forward.w2", h))
        return x + (h if gate_f is None else gate_f.tanh() * h)

    def __call__(self, latents, t, caption, pooled, watch=lambda name, value: None):
        """latents [C, H, W], caption [L, C], pooled [C] -> velocity [C, H, W], from noise to image."""
        channels, height, width = latents.shape
        rows, columns, length = height // 2, width // 2, len(caption)
        adaln = self.condition(t, pooled)
        watch("adaln", adaln)
        caption_ids = torch.stack([torch.arange(length), torch.zeros(length), torch.zeros(length)], dim=1)
        grid = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
        image_ids = torch.cat([torch.full((rows * columns, 1), length), grid], dim=1)
        text_turns, image_turns = self.turns(caption_ids), self.turns(image_ids)

        text = self.linear("cap_embedder.1", self.norm("cap_embedder.0", caption))
        patches = latents.reshape(channels, rows, 2, columns, 2).permute(1, 3, 2, 4, 0).reshape(rows * columns, -1)
        image = self.linear("x_embedder", patches)
        for i in range(self.c["refiners"]):
            text = self.block(f"context_refiner.{i}.", text, text_turns)
            image = self.block(f"noise_refiner.{i}.", image, image_turns, adaln)
        watch("caption_refined", text)
        watch("image_refined", image)
        x, turns = torch.cat([text, image]), torch.cat([text_turns, image_turns])
        for i in range(self.c["layers"]):
            x = self.block(f"layers.{i}.", x, turns, adaln)
            if i == 0:
                watch("layer_first", x)
        watch("layer_last", x)
        x = F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + self.linear("final_layer.adaLN_modulation.1", F.silu(adaln)))
        x = self.linear("final_layer.linear", x)[length:]
        return x.view(rows, columns, 2, 2, channels).permute(4, 0, 2, 1, 3).reshape(channels, height, width)


class JinaTower:
    """The text tower of Jina CLIP v2 with one adapter merged. `config`: heads, layers, rope_base."""

    def __init__(self, weights, config, eps=1e-5):
        self.w, self.c, self.eps = weights, config, eps

    def linear(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"], self.eps)

    def turned(self, x):
        """x [heads, tokens, size], halves"""
        tokens, size = x.shape[1:]
        frequencies = 1.0 / self.c["rope_base"] ** (torch.arange(0, size, 2, dtype=torch.float32) / size)
        angles = torch.outer(torch.arange(tokens, dtype=torch.float32), frequencies).repeat(1, 2)
        half = torch.cat([-x[..., size // 2:], x[..., :size // 2]], dim=-1)
        return x * angles.cos() + half * angles.sin()

    def __call__(self, ids, pad=1):
        """ids [tokens] -> pooled [hidden]"""
        seen = ids != pad
        x = self.w["embeddings.word_embeddings.weight"][ids] + self.w["embeddings.token_type_embeddings.weight"][0]
        x = self.norm("emb_ln", x)
        for i in range(self.c["layers"]):
            prefix = f"encoder.layers.{i}."
            q, k, v = (part.view(len(ids), self.c["heads"], -1).transpose(0, 1)
                       for part in self.linear(prefix + "mixer.Wqkv", x).chunk(3, dim=-1))
            q, k = self.turned(q), self.turned(k)
            scores = (q @ k.transpose(1, 2)) * q.shape[-1] ** -0.5
            attended = scores.masked_fill(~seen[None, None], float("-inf")).softmax(-1) @ v
            x = self.norm(prefix + "norm1", x + self.linear(prefix + "mixer.out_proj", attended.transpose(0, 1).flatten(1)))
            h = self.linear(prefix + "mlp.fc2", F.gelu(self.linear(prefix + "mlp.fc1", x)))
            x = self.norm(prefix + "norm2", x + h)
        return x[seen].mean(0)


def merge_adapter(weights, scale, task=0):
    """Parametrised weights with their adapter -> plain ones."""
    merged = {}
    for name, value in weights.items():
        if ".parametrizations.weight." not in name:
            merged[name] = value
        elif name.endswith(".original"):
            stem = name.removesuffix(".original")
            a, b = weights[stem + ".0.lora_A"][task], weights[stem + ".0.lora_B"][task]
            product = a @ b if "embeddings." in name else b @ a
            merged[stem.replace(".parametrizations.weight", "") + ".weight"] = value + scale * product
    return merged


def sigmas(steps, shift):
    line = torch.linspace(1, 1 / steps, steps)
    return torch.cat([shift * line / (1 + (shift - 1) * line), torch.zeros(1)])


def sample(velocity, noise, item):
    """velocity(x, t, positive) -> prediction; `item`: steps, shift, sampler, guidance, cfg_truncation, cfg_normalization."""

    def guided(x, t):
        positive = velocity(x, t, True)
        if item["guidance"] <= 1 or t >= item["cfg_truncation"]:
            return positive
        negative = velocity(x, t, False)
        joined = negative + item["guidance"] * (positive - negative)
        limit = item["cfg_normalization"] * positive.norm()
        if item["cfg_normalization"] > 0 and joined.norm() >= limit:
            joined = joined * (limit / joined.norm())
        return joined

    levels, x = sigmas(item["steps"], item["shift"]), noise
    for level, following in zip(levels[:-1], levels[1:]):
        t, dt = 1 - level, level - following
        v = guided(x, t.item())
        if item["sampler"] == "midpoint":
            v = guided(x + 0.5 * dt * v, (t + 0.5 * dt).item())
        x = x + dt * v
    return x


def lumina_names(weights, config):
    """The same tensors under the names of diffusers' Lumina2Transformer2DModel, pooled path included."""
    fixed = {"t_embedder.mlp.0.": "time_caption_embed.timestep_embedder.linear_1.",
             "t_embedder.mlp.2.": "time_caption_embed.timestep_embedder.linear_2.",
             "cap_embedder.": "time_caption_embed.caption_embedder.",
             "clip_text_pooled_proj.": "time_caption_embed.clip_text_pooled_proj.",
             "time_text_embed.": "time_caption_embed.time_text_embed.",
             "final_layer.linear.": "norm_out.linear_2.", "final_layer.adaLN_modulation.1.": "norm_out.linear_1.",
             "attention.out.": "attn.to_out.0.", "attention.q_norm.": "attn.norm_q.", "attention.k_norm.": "attn.norm_k.",
             "feed_forward.w1.": "feed_forward.linear_1.", "feed_forward.w2.": "feed_forward.linear_2.",
             "feed_forward.w3.": "feed_forward.linear_3.", "attention_norm2.": "norm2.",
             "adaLN_modulation.1.": "norm1.linear."}
    size = config["dim"] // config["heads"]
    result = {}
    for name, value in weights.items():
        if name == "norm_final.weight":
            continue
        if name.endswith("attention.qkv.weight"):
            parts = value.split([config["heads"] * size, config["kv_heads"] * size, config["kv_heads"] * size])
            for part, rows in zip("qkv", parts):
                result[name.replace("attention.qkv", f"attn.to_{part}")] = rows.contiguous()
            continue
        for old, new in fixed.items():
            if old in name:
                name = name.replace(old, new)
                break
        else:
            plain = name.startswith("context_refiner.")
            name = name.replace("attention_norm1.", "norm1." if plain else "norm1.norm.")
        result[name] = value
    return result
