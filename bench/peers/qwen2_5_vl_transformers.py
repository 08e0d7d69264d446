"""The peer: transformers' Qwen2_5_VLForConditionalGeneration on the same shapes with random bf16 weights, sdpa:

    python bench/peers/qwen2_5_vl_transformers.py [--batch 1,16] [--new-tokens 128] [--static]

One picture of 1024x1024 and a sentence a request, greedy with repetition penalty 1.05. First token: generate() with one
new token. Preprocessing: the default image processor on decoded pixels. Needs transformers 5, torchvision and a GPU with
40 GiB; `--shapes FOLDER --device cpu` tries it out.
"""
import argparse
import json
import pathlib
import time

import torch
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2VLImageProcessor

ROOT = pathlib.Path(__file__).resolve().parent.parent


def build(folder, device):
    config = Qwen2_5_VLConfig(**json.loads((folder / "config.json").read_text()))
    config._attn_implementation = "sdpa"
    torch.set_default_dtype(torch.bfloat16 if device.type == "cuda" else torch.float32)
    with torch.device(device):
        model = Qwen2_5_VLForConditionalGeneration._from_config(config)
    torch.set_default_dtype(torch.float32)
    generator = torch.Generator(device).manual_seed(0)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.02, generator=generator) if p.dim() > 1 else torch.nn.init.ones_(p)
    # Rotary frequencies must stay float32: making the model in bfloat16 has rounded them.
    model.model.language_model.rotary_emb = type(model.model.language_model.rotary_emb)(config.text_config).to(device)
    model.model.visual.rotary_pos_emb = type(model.model.visual.rotary_pos_emb)(config.vision_config).to(device)
    return model.eval(), config


def inputs(batch, pixels, grid, config, device, words=31):
    tokens = int(grid[0].prod()) // config.vision_config.spatial_merge_size ** 2
    row = [3] * (words // 2) + [config.vision_start_token_id] + [config.image_token_id] * tokens + [config.vision_end_token_id]
    ids = torch.tensor([row + [5] * (words - words // 2)] * batch, device=device)
    types = (ids == config.image_token_id).int()
    return dict(input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=types,
                pixel_values=pixels.to(device).repeat(batch, 1), image_grid_thw=grid.to(device).repeat(batch, 1))


def timed(device, work):
    def wait():
        if device.type == "cuda":
            torch.cuda.synchronize()
    wait()
    start = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - start


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shapes", type=pathlib.Path, default=ROOT / "shapes/qwen2_5_vl_7b")
    parser.add_argument("--batch", default="1,16")
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--static", action="store_true", help="static cache, which generate() compiles")
    args = parser.parse_args()
    device = torch.device(args.device)
    model, config = build(args.shapes, device)
    settings = json.loads((args.shapes / "preprocessor_config.json").read_text())
    processor = Qwen2VLImageProcessor(**{k: v for k, v in settings.items() if not k.endswith(("_type", "_class"))})
    picture = torch.randint(0, 256, (3, args.size, args.size), dtype=torch.uint8)
    for threads in (1, torch.get_num_threads()):
        torch.set_num_threads(threads)
        best = min(timed(torch.device("cpu"), lambda: processor(picture, return_tensors="pt")) for _ in range(5))
        print(f"preprocessing, {threads} threads: {1e3 * best:.1f} ms")
    made = processor(picture, return_tensors="pt")
    options = {"cache_implementation": "static"} if args.static else {}

    print("| batch | prompt tokens | first token ms | ms/step | tokens/s | requests/s | peak GiB |\n" + "|---:" * 7 + "|")
    for batch in map(int, args.batch.split(",")):
        batch_inputs = inputs(batch, made["pixel_values"], made["image_grid_thw"], config, device)

        def generate(new_tokens):
            model.model.rope_deltas = None
            return model.generate(**batch_inputs, max_new_tokens=new_tokens, min_new_tokens=new_tokens, do_sample=False,
                                  repetition_penalty=1.05, pad_token_id=0, **options)

        generate(min(8, args.new_tokens))
        if args.static:
            generate(args.new_tokens)
        first = min(timed(device, lambda: generate(1)) for _ in range(2))
        whole = min(timed(device, lambda: generate(args.new_tokens)) for _ in range(2))
        step = (whole - first) / (args.new_tokens - 1)
        peak = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0
        print(f"| {batch} | {batch_inputs['input_ids'].shape[1]} | {1e3 * first:.0f} | {1e3 * step:.2f} | {batch / step:.0f} "
              f"| {batch / whole:.2f} | {peak:.1f} |", flush=True)


if __name__ == "__main__":
    main()
