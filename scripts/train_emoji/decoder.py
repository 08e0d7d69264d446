"""The language decoders of Qwen3 and Qwen2.5 as plain modules that compile well. Parameters carry the released names."""

import dataclasses

import torch
from torch import nn
from torch.nn import functional


@dataclasses.dataclass(frozen=True)
class Config:
    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    bias: bool = False      # of q, k, v: Qwen2.5
    head_norm: bool = True  # of q and k: Qwen3
    theta: float = 1e6
    dropout: float = 0.0


class RMSNorm(nn.Module):
    def __init__(self, width, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)).to(x.dtype) * self.weight


def rotate(x, cos, sin):
    """Half-split rotary embedding. x [batch, heads, tokens, head_dim], cos and sin [.., tokens, head_dim]"""
    first, second = x.float().chunk(2, -1)
    return (x * cos + torch.cat([-second, first], -1) * sin).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.q_proj = nn.Linear(config.hidden, config.heads * config.head_dim, bias=config.bias)
        self.k_proj = nn.Linear(config.hidden, config.kv_heads * config.head_dim, bias=config.bias)
        self.v_proj = nn.Linear(config.hidden, config.kv_heads * config.head_dim, bias=config.bias)
        self.o_proj = nn.Linear(config.heads * config.head_dim, config.hidden, bias=False)
        if config.head_norm:
            self.q_norm, self.k_norm = RMSNorm(config.head_dim), RMSNorm(config.head_dim)

    def forward(self, x, cos, sin):
        batch, tokens, _ = x.shape
        q, k, v = (layer(x).view(batch, tokens, -1, self.config.head_dim)
                   for layer in (self.q_proj, self.k_proj, self.v_proj))
        if self.config.head_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = rotate(q.transpose(1, 2), cos, sin), rotate(k.transpose(1, 2), cos, sin), v.transpose(1, 2)
        repeat = self.config.heads // self.config.kv_heads
        k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
        out = functional.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v, is_causal=True)
        return self.o_proj(out.transpose(1, 2).reshape(batch, tokens, -1))


class FeedForward(nn.Module):
    def __init__(self, hidden, intermediate, bias=False):
        super().__init__()
        self.gate_proj = nn.Linear(hidden, intermediate, bias=bias)
        self.up_proj = nn.Linear(hidden, intermediate, bias=bias)
        self.down_proj = nn.Linear(intermediate, hidden, bias=bias)

    def forward(self, x):
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.dropout = config.dropout
        self.input_layernorm = RMSNorm(config.hidden)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden)
        self.mlp = FeedForward(config.hidden, config.intermediate)

    def forward(self, x, cos, sin):
        x = x + functional.dropout(self.self_attn(self.input_layernorm(x), cos, sin), self.dropout, self.training)
        return x + functional.dropout(self.mlp(self.post_attention_layernorm(x)), self.dropout, self.training)


def frequencies(head_dim, theta):
    return theta ** -(torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)


class Decoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocabulary, config.hidden)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.hidden)
        self.register_buffer("frequencies", frequencies(config.head_dim, config.theta), persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.5 if "embed" in name else parameter.shape[1] ** -0.5)

    def angles(self, tokens):
        angle = torch.arange(tokens, device=self.frequencies.device)[:, None] * self.frequencies
        angle = torch.cat([angle, angle], -1)
        return angle.cos(), angle.sin()

    def features(self, ids):
        """[batch, tokens] -> output of the last layer but one, without norm, as Z-Image takes it"""
        x = functional.dropout(self.embed_tokens(ids), self.config.dropout, self.training)
        cos, sin = self.angles(ids.shape[1])
        for layer in self.layers[:-1]:
            x = layer(x, cos, sin)
        return x
