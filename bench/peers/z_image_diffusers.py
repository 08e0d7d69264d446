"""The peer: diffusers' ZImagePipeline on the same shapes with random bf16 weights. One process a GPU:

    python bench/peers/z_image_diffusers.py [--images 1,4] [--compile]
    torchrun --nproc-per-node 2 bench/peers/z_image_diffusers.py --images 4

Each rank makes its share of the images one after the other; rank 0 gathers them and writes the PNG files, as in the
accelerate examples. Needs diffusers 0.42.1, transformers and a GPU with 24 GiB.
"""
import argparse
import json
import os
import pathlib
import tempfile
import time

import torch
import torch.distributed as dist
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model

SHAPES = pathlib.Path(__file__).resolve().parent.parent / "shapes/z_image_turbo"
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"


def read(name):
    return json.loads((SHAPES / name).read_text())


def pipeline(device):
    def build(make):
        with torch.device("meta"):
            module = make()
        module = module.to(torch.bfloat16).to_empty(device=device)
        for p in module.parameters():
            torch.nn.init.normal_(p, std=0.02) if p.dim() > 1 else torch.nn.init.ones_(p)
        return module.eval()

    strip = lambda config: {k: v for k, v in config.items() if not k.startswith("_")}
    transformer = build(lambda: ZImageTransformer2DModel(**strip(read("transformer/config.json"))))
    vae = build(lambda: AutoencoderKL(**strip(read("vae/config.json"))))
    config = Qwen3Config(**read("text_encoder/config.json"))
    encoder = build(lambda: Qwen3Model(config))
    encoder.rotary_emb = type(encoder.rotary_emb)(config, device=device)  # buffers are empty after to_empty
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(SHAPES / "tokenizer/tokenizer.json"), pad_token="<|endoftext|>")
    tokenizer.chat_template = TEMPLATE
    scheduler = FlowMatchEulerDiscreteScheduler(**strip(read("scheduler/scheduler_config.json")))
    pipe = ZImagePipeline(scheduler, vae, encoder, tokenizer, transformer)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", default="1,4")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--compile", action="store_true", help="torch.compile the transformer's blocks")
    args = parser.parse_args()
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    torch.cuda.set_device(device)
    if world > 1:
        dist.init_process_group("nccl", device_id=device)
    pipe = pipeline(device)
    if args.compile:
        pipe.transformer.compile_repeated_blocks()
    prompts = (SHAPES.parent.parent / "prompts/pictures.txt").read_text().splitlines()

    def generate(index):
        return pipe(prompts[index % len(prompts)], height=args.size, width=args.size, num_inference_steps=8, guidance_scale=0.0,
                    generator=torch.Generator("cpu").manual_seed(index), output_type="np").images[0]

    for i in range(2):
        generate(i)
    torch.cuda.synchronize()
    if rank == 0:
        print("| GPUs | images | wall s | s/image x GPU | peak GiB |\n|---:|---:|---:|---:|---:|")
    for images in map(int, args.images.split(",")):
        if world > 1:
            dist.barrier()
        start = time.perf_counter()
        mine = [generate(i) for i in range(rank, images, world)]
        everyone = [None] * world
        if world > 1:
            dist.gather_object(mine, everyone if rank == 0 else None)
        else:
            everyone = [mine]
        if rank == 0:
            with tempfile.TemporaryDirectory() as folder:
                for k, picture in enumerate(pipe.image_processor.numpy_to_pil(p[None])[0] for share in everyone for p in share):
                    picture.save(f"{folder}/{k}.png")
        seconds = time.perf_counter() - start
        if rank == 0:
            peak = torch.cuda.max_memory_allocated() / 2**30
            print(f"| {world} | {images} | {seconds:.2f} | {seconds * world / images:.3f} | {peak:.1f} |", flush=True)

    if rank == 0:  # one forward by itself
        x = [torch.randn(16, 1, args.size // 8, args.size // 8, device=device, dtype=torch.bfloat16)]
        caption = [torch.randn(64, 2560, device=device, dtype=torch.bfloat16)]
        t = torch.tensor([0.5], device=device)
        with torch.no_grad():
            for _ in range(5):
                pipe.transformer(x, t, caption, return_dict=False)
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(20):
                pipe.transformer(x, t, caption, return_dict=False)
            torch.cuda.synchronize()
        print(f"ms/forward, 20 in a row: {(time.perf_counter() - start) * 50:.1f}")
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
