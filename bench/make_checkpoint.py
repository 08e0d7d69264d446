"""Writes a folder like the released Z-Image-Turbo with random weights (33 GB: transformer in float32, the rest in bfloat16), to
measure loading without a download:

    python bench/make_checkpoint.py FOLDER [--shard-gib 9] [--dtype bfloat16] [--layers 4]

With --dtype bfloat16 the transformer has that dtype, too: 20 GB. With --layers the transformer and the text encoder have
so many. Needs torch, safetensors, diffusers and transformers; a GPU makes the random numbers quickly.
"""
import argparse
import json
import pathlib
import shutil

import torch
from diffusers import AutoencoderKL, ZImageTransformer2DModel
from safetensors.torch import save_file
from transformers import Qwen3Config, Qwen3Model

SHAPES = pathlib.Path(__file__).resolve().parent / "shapes/z_image_turbo"


def config(folder, part):
    return {k: v for k, v in json.loads((folder / part / "config.json").read_text()).items() if not k.startswith("_")}


def set_layers(folder, layers):
    for part, key in [("transformer", "n_layers"), ("text_encoder", "num_hidden_layers")]:
        file = folder / part / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {key: layers}, indent=2))


def write_part(folder, stem, shapes, dtype, shard_bytes):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shards, size = [[]], 0
    for name, shape in shapes:
        nbytes = torch.empty(shape, device="meta", dtype=dtype).nbytes
        if size > 0 and size + nbytes > shard_bytes:
            shards.append([])
            size = 0
        shards[-1].append((name, shape))
        size += nbytes
    weight_map = {}
    for i, shard in enumerate(shards):
        file = f"{stem}.safetensors" if len(shards) == 1 else f"{stem}-{i + 1:05}-of-{len(shards):05}.safetensors"
        tensors = {}
        for name, shape in shard:
            random = torch.randn(shape, device=device) * 0.02 if len(shape) > 1 else torch.ones(shape, device=device)
            tensors[name] = random.to(dtype).cpu()
            weight_map[name] = file
        save_file(tensors, folder / file)
    if len(shards) > 1:
        (folder / f"{stem}.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--shard-gib", type=float, default=9)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--layers", type=int)
    args = parser.parse_args()
    shutil.copytree(SHAPES, args.folder)
    if args.layers:
        set_layers(args.folder, args.layers)
    with torch.device("meta"):
        parts = [
            ("transformer", "diffusion_pytorch_model", ZImageTransformer2DModel(**config(args.folder, "transformer")),
             getattr(torch, args.dtype), ""),
            ("text_encoder", "model", Qwen3Model(Qwen3Config(**config(args.folder, "text_encoder"))), torch.bfloat16, "model."),
            ("vae", "diffusion_pytorch_model", AutoencoderKL(**config(args.folder, "vae")), torch.bfloat16, ""),
        ]
    for part, stem, module, dtype, prefix in parts:
        shapes = [(prefix + name, tuple(p.shape)) for name, p in module.named_parameters()]
        write_part(args.folder / part, stem, shapes, dtype, int(args.shard_gib * 2**30))


if __name__ == "__main__":
    main()
