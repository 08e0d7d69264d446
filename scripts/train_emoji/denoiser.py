"""Z-Image's transformer as plain batched code that compiles well. Parameters carry diffusers' names."""

import dataclasses
import math

import torch
from torch import nn
from torch.nn import functional

from decoder import RMSNorm


@dataclasses.dataclass(frozen=True)
class Config:
    dim: int = 288
    heads: int = 9
    layers: int = 7
    refiners: int = 1
    axes: tuple = (8, 12, 12)
    axes_lengths: tuple = (1024, 64, 64)
    caption: int = 224
    channels: int = 16
    theta: float = 256.0
    time_scale: float = 1000.0

    def as_json(self):
        return {"_class_name": "ZImageTransformer2DModel", "_diffusers_version": "0.36.0.dev0", "all_f_patch_size": [1],
                "all_patch_size": [2], "axes_dims": list(self.axes), "axes_lens": list(self.axes_lengths),
                "cap_feat_dim": self.caption, "dim": self.dim, "in_channels": self.channels, "n_heads": self.heads,
                "n_kv_heads": self.heads, "n_layers": self.layers, "n_refiner_layers": self.refiners, "norm_eps": 1e-05,
                "qk_norm": True, "rope_theta": self.theta, "t_scale": self.time_scale}


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(dim, dim, bias=False)])
        self.norm_q, self.norm_k = RMSNorm(dim // heads, 1e-5), RMSNorm(dim // heads, 1e-5)

    def rotate(self, x, rope):
        pairs = x.float().unflatten(-1, (-1, 2))
        cos, sin = rope
        first = pairs[..., 0] * cos - pairs[..., 1] * sin
        second = pairs[..., 0] * sin + pairs[..., 1] * cos
        return torch.stack([first, second], -1).flatten(-2).to(x.dtype)

    def forward(self, x, rope):
        q, k, v = (layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.to_q, self.to_k, self.to_v))
        q, k = self.rotate(self.norm_q(q), rope), self.rotate(self.norm_k(k), rope)
        out = functional.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v)
        return self.to_out[0](out.transpose(1, 2).flatten(-2))


class FeedForward(nn.Module):
    def __init__(self, dim):
        super().__init__()
        hidden = int(dim / 3 * 8)
        self.w1, self.w3 = nn.Linear(dim, hidden, bias=False), nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)

    def forward(self, x):
        return self.w2(functional.silu(self.w1(x)) * self.w3(x))


class Block(nn.Module):
    def __init__(self, config, modulated):
        super().__init__()
        self.attention = Attention(config.dim, config.heads)
        self.feed_forward = FeedForward(config.dim)
        for name in ("attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2"):
            setattr(self, name, RMSNorm(config.dim, 1e-5))
        self.modulated = modulated
        if modulated:
            self.adaLN_modulation = nn.Sequential(nn.Linear(min(config.dim, 256), 4 * config.dim))

    def forward(self, x, rope, time=None):
        if not self.modulated:
            x = x + self.attention_norm2(self.attention(self.attention_norm1(x), rope))
            return x + self.ffn_norm2(self.feed_forward(self.ffn_norm1(x)))
        scale_a, gate_a, scale_f, gate_f = self.adaLN_modulation(time).unsqueeze(1).chunk(4, -1)
        x = x + gate_a.tanh() * self.attention_norm2(self.attention(self.attention_norm1(x) * (1 + scale_a), rope))
        return x + gate_f.tanh() * self.ffn_norm2(self.feed_forward(self.ffn_norm1(x) * (1 + scale_f)))


class TimeEmbedder(nn.Module):
    def __init__(self, out):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, 1024), nn.SiLU(), nn.Linear(1024, out))

    def forward(self, t):
        frequency = torch.exp(-math.log(10000) * torch.arange(128, device=t.device, dtype=torch.float32) / 128)
        angle = t.float()[:, None] * frequency
        return self.mlp(torch.cat([angle.cos(), angle.sin()], -1))


class FinalLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.linear = nn.Linear(config.dim, 4 * config.channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(min(config.dim, 256), config.dim))

    def forward(self, x, time):
        x = functional.layer_norm(x, x.shape[-1:], eps=1e-6)
        return self.linear(x * (1 + self.adaLN_modulation(time).unsqueeze(1)))


class Denoiser(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.all_x_embedder = nn.ModuleDict({"2-1": nn.Linear(4 * config.channels, config.dim)})
        self.all_final_layer = nn.ModuleDict({"2-1": FinalLayer(config)})
        self.t_embedder = TimeEmbedder(min(config.dim, 256))
        self.cap_embedder = nn.Sequential(RMSNorm(config.caption, 1e-5), nn.Linear(config.caption, config.dim))
        self.x_pad_token = nn.Parameter(0.02 * torch.randn(1, config.dim))
        self.cap_pad_token = nn.Parameter(0.02 * torch.randn(1, config.dim))
        self.noise_refiner = nn.ModuleList(Block(config, True) for _ in range(config.refiners))
        self.context_refiner = nn.ModuleList(Block(config, False) for _ in range(config.refiners))
        self.layers = nn.ModuleList(Block(config, True) for _ in range(config.layers))
        self.ropes = {}
        self.initialise()

    def initialise(self):
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 2 and "pad_token" not in name:
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
        for block in [*self.noise_refiner, *self.layers]:
            linear = block.adaLN_modulation[0]
            nn.init.zeros_(linear.weight)
            linear.bias.data.view(4, -1)[1::2] = 0.3  # the gates
        last = self.all_final_layer["2-1"]
        nn.init.zeros_(last.linear.weight)
        nn.init.zeros_(last.adaLN_modulation[1].weight)

    def rope(self, caption, side, device):
        """cos and sin [tokens, head_dim / 2] of the image's and the caption's tokens"""
        if (caption, side) not in self.ropes:
            grid = torch.cartesian_prod(torch.tensor([caption + 1]), torch.arange(side), torch.arange(side))
            words = torch.stack([torch.arange(1, caption + 1)] + 2 * [torch.zeros(caption, dtype=torch.long)], -1)
            angles = []
            for axis, width in enumerate(self.config.axes):
                inverse = self.config.theta ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
                angles.append(torch.cat([grid, words])[:, axis, None].double() * inverse)
            angle = torch.cat(angles, -1).float()
            self.ropes[caption, side] = angle.cos().to(device), angle.sin().to(device)
        return self.ropes[caption, side]

    def forward(self, x, t, features, real):
        """x [batch, 16, side, side], t [batch] with 1 = picture, features [batch, L, caption], real [batch, L] bool -> like x.
        L is 32 or 64 for all captions of the batch."""
        side = x.shape[-1] // 2
        tokens = x.unflatten(-1, (side, 2)).unflatten(-3, (side, 2)).permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
        time = self.t_embedder(t * self.config.time_scale)
        cos, sin = self.rope(features.shape[1], side, x.device)
        count = side * side
        image = self.all_x_embedder["2-1"](tokens)
        for block in self.noise_refiner:
            image = block(image, (cos[:count], sin[:count]), time)
        caption = self.cap_embedder(features)
        caption = torch.where(real[..., None], caption, self.cap_pad_token.to(caption.dtype))
        for block in self.context_refiner:
            caption = block(caption, (cos[count:], sin[count:]))
        both = torch.cat([image, caption.to(image.dtype)], 1)
        for block in self.layers:
            both = block(both, (cos, sin), time)
        out = self.all_final_layer["2-1"](both[:, :count], time)
        return out.view(-1, side, side, 2, 2, self.config.channels).permute(0, 5, 1, 3, 2, 4).reshape(x.shape)


def sigmas(steps, shift=3.0):
    u = torch.linspace(1, 1 / steps, steps, dtype=torch.float64)
    return torch.cat([shift * u / (1 + (shift - 1) * u), torch.zeros(1, dtype=torch.float64)])


@torch.no_grad()
def sample(model, features, real, noise, steps=8, shift=3.0):
    x, levels = noise, sigmas(steps, shift)
    for now, after in zip(levels[:-1].tolist(), levels[1:].tolist()):
        velocity = model(x, torch.full((len(x),), 1 - now, device=x.device), features, real).float()
        x = x + (now - after) * velocity
    return x
