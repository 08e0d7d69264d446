"""Modules as safetensors in the layout of Hugging Face: bf16, in shards of at most 16 MiB."""

import json

import torch
from safetensors.torch import load_file, save_file

SHARD = 15 * 2**20


def read(folder):
    """-> name -> tensor in float32, of all files there"""
    return {name: value.float() for path in sorted(folder.glob("*.safetensors")) for name, value in load_file(path).items()}


def save(tensors, folder, stem):
    """`stem` is diffusion_pytorch_model or model. One file, or shards and an index."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().to(torch.bfloat16).contiguous().cpu() for name, value in tensors.items()}
    shards, size = [{}], 0
    for name in sorted(tensors):
        size += 2 * tensors[name].numel()
        if size > SHARD and shards[-1]:
            shards.append({})
            size = 2 * tensors[name].numel()
        shards[-1][name] = tensors[name]
    for old in folder.glob(f"{stem}*"):
        old.unlink()
    if len(shards) == 1:
        save_file(shards[0], folder / f"{stem}.safetensors", metadata={"format": "pt"})
        return
    places = {}
    for index, shard in enumerate(shards):
        name = f"{stem}-{index + 1:05d}-of-{len(shards):05d}.safetensors"
        save_file(shard, folder / name, metadata={"format": "pt"})
        places.update({key: name for key in shard})
    total = sum(2 * value.numel() for value in tensors.values())
    write_json(folder / f"{stem}.safetensors.index.json",
               {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))})


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def rounded(module):
    """Rounds the parameters to what a bf16 file holds."""
    for parameter in module.parameters():
        parameter.data = parameter.data.to(torch.bfloat16).to(parameter.dtype)
    return module
