"""Qwen2.5-VL for one square picture of 140x140 pixels, as plain batched code that compiles well. Released parameter names."""

import dataclasses

import torch
from torch import nn
from torch.nn import functional

import decoder

PATCH, MERGE, WINDOW, SIDE = 14, 2, 112, 140
GRID = SIDE // PATCH            # patches a side
CELLS = GRID // MERGE           # tokens a side
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclasses.dataclass(frozen=True)
class Vision:
    depth: int = 4
    hidden: int = 192
    intermediate: int = 512
    heads: int = 6
    full: tuple = (1, 3)  # blocks that attend to the whole picture; the others stay in their window
    out: int = 192


SECTIONS = (4, 6, 6)  # of half the head dimension: time, row, column


def patches_of(pictures):
    """[n, 3, 140, 140] in 0..1 -> [n, 100, 1176]: rows in 2x2 groups, content channel, time, y, x"""
    mean, std = (pictures.new_tensor(v)[:, None, None] for v in (MEAN, STD))
    x = (pictures - mean) / std
    x = x.view(-1, 3, CELLS, MERGE, PATCH, CELLS, MERGE, PATCH).permute(0, 2, 5, 3, 6, 1, 4, 7)
    return x.unsqueeze(6).expand(-1, -1, -1, -1, -1, -1, 2, -1, -1).reshape(len(pictures), GRID * GRID, -1)


def places():
    """Row and column of each patch, in the order of the rows above -> [100, 2]"""
    cell = torch.cartesian_prod(torch.arange(CELLS), torch.arange(CELLS))
    inner = torch.cartesian_prod(torch.arange(MERGE), torch.arange(MERGE))
    return (cell[:, None] * MERGE + inner).view(-1, 2)


class VisionAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.hidden, 3 * config.hidden)
        self.proj = nn.Linear(config.hidden, config.hidden)

    def forward(self, x, cos, sin, mask):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = decoder.rotate(q, cos, sin), decoder.rotate(k, cos, sin)
        out = functional.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v, attn_mask=mask)
        return self.proj(out.transpose(1, 2).flatten(-2))


class VisionBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm1, self.norm2 = decoder.RMSNorm(config.hidden), decoder.RMSNorm(config.hidden)
        self.attn = VisionAttention(config)
        self.mlp = decoder.FeedForward(config.hidden, config.intermediate, bias=True)

    def forward(self, x, cos, sin, mask):
        x = x + self.attn(self.norm1(x), cos, sin, mask)
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.proj = nn.Conv3d(3, config.hidden, (2, PATCH, PATCH), (2, PATCH, PATCH), bias=False)

    def forward(self, rows):
        return functional.linear(rows, self.proj.weight.flatten(1))


class Merger(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config.hidden * MERGE * MERGE
        self.ln_q = decoder.RMSNorm(config.hidden)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, config.out))

    def forward(self, x):
        return self.mlp(self.ln_q(x).unflatten(1, (-1, MERGE * MERGE)).flatten(2))


class VisionTower(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.blocks = nn.ModuleList(VisionBlock(config) for _ in range(config.depth))
        self.merger = Merger(config)
        place = places()
        inverse = 10000 ** -(torch.arange(0, config.hidden // config.heads // 2, 2) / (config.hidden // config.heads // 2))
        angle = (place[..., None] * inverse).flatten(1)
        angle = torch.cat([angle, angle], -1)
        window = place // (WINDOW // PATCH)
        same = (window[:, None] == window[None]).all(-1)
        for name, value in (("cos", angle.cos()), ("sin", angle.sin()), ("same_window", same)):
            self.register_buffer(name, value, persistent=False)

    def forward(self, rows):
        x = self.patch_embed(rows)
        for index, block in enumerate(self.blocks):
            x = block(x, self.cos, self.sin, None if index in self.config.full else self.same_window)
        return self.merger(x)


class Describer(nn.Module):
    def __init__(self, vision, text):
        super().__init__()
        self.visual = VisionTower(vision)
        self.model = decoder.Decoder(text)
        for name, parameter in self.visual.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() >= 2:
                nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        nn.init.normal_(self.model.embed_tokens.weight, std=text.hidden ** -0.5)

    def angles(self, positions):
        """positions [batch, 3, tokens] -> cos and sin [batch, 1, tokens, head_dim], each section from its own row"""
        angle = positions[..., None].float() * self.model.frequencies
        sections = angle.split(list(SECTIONS), -1)
        angle = torch.cat([section[:, axis] for axis, section in enumerate(sections)], -1)
        angle = torch.cat([angle, angle], -1)[:, None]
        return angle.cos(), angle.sin()

    def forward(self, rows, ids, positions, places_of_image):
        """rows [batch, 100, 1176], ids [batch, tokens], positions [batch, 3, tokens], the image tokens' places [batch, 25]
        -> logits [batch, tokens, vocabulary]"""
        seen = self.visual(rows)
        x = self.model.embed_tokens(ids)
        x = x.scatter(1, places_of_image[..., None].expand(-1, -1, x.shape[-1]), seen.to(x.dtype))
        cos, sin = self.angles(positions)
        for layer in self.model.layers:
            x = layer(x, cos, sin)
        return functional.linear(self.model.norm(x), self.model.embed_tokens.weight)
