"""The peer: diffusers' ZImagePipeline on the same shapes with random bf16 weights, in the columns of `trireme bench image`.

    python bench/peers/z_image_diffusers.py [--sizes 1024,512] [--batches 1,4] [--how eager,compiled]
    torchrun --nproc-per-node 2 bench/peers/z_image_diffusers.py --scale 64

Each picture's PNG is saved in the loop, as users do; a row is of medians behind the warm-up, and s/image of the whole
loop behind it. compiled: the blocks of the transformer and the decoder of the VAE, the best seen. --scale: images a GPU, each rank
makes its share one after the other, rank 0 gathers all and writes the files, as in the accelerate examples.
--forwards times transformers alone. Needs diffusers 0.42.1 and transformers.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time

import torch
import torch._dynamo
import torch.distributed as dist
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, Lumina2Transformer2DModel, ZImagePipeline, ZImageTransformer2DModel
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model

BENCH = pathlib.Path(__file__).resolve().parent.parent
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
PEAK_FLOPS = 790e12


def build(make, device, dtype):
    with torch.device("meta"):
        module = make()
    module = module.to(dtype).to_empty(device=device)
    for p in module.parameters():
        torch.nn.init.normal_(p, std=0.02) if p.dim() > 1 else torch.nn.init.ones_(p)
    return module.eval()


def read(file):
    return {k: v for k, v in json.loads(file.read_text()).items() if not k.startswith("_")}


def pipeline(shapes, device, dtype):
    transformer = build(lambda: ZImageTransformer2DModel(**read(shapes / "transformer/config.json")), device, dtype)
    vae = build(lambda: AutoencoderKL(**read(shapes / "vae/config.json")), device, dtype)
    config = Qwen3Config(**read(shapes / "text_encoder/config.json"))
    encoder = build(lambda: Qwen3Model(config), device, dtype)
    encoder.rotary_emb = type(encoder.rotary_emb)(config).to(device)  # buffers are empty after to_empty
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(shapes / "tokenizer/tokenizer.json"), pad_token="<|endoftext|>")
    tokenizer.chat_template = TEMPLATE
    scheduler = FlowMatchEulerDiscreteScheduler(**read(shapes / "scheduler/scheduler_config.json"))
    pipe = ZImagePipeline(scheduler, vae, encoder, tokenizer, transformer)
    pipe.set_progress_bar_config(disable=True)
    return pipe


class Clock:
    """Seconds on the device between two calls of `now`; on a CPU those of the wall."""

    def __init__(self, device):
        self.cuda = device.type == "cuda"

    def now(self):
        if not self.cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds(self, begin, end):
        return begin.elapsed_time(end) / 1e3 if self.cuda else end - begin


class Parts:
    """Device time of each network's calls: wraps what the pipeline calls."""

    def __init__(self, pipe, clock):
        self.clock, self.spans = clock, {"transformer": [], "text_encoder": [], "vae": []}
        for name in ("transformer", "text_encoder"):
            module = getattr(pipe, name)
            module.register_forward_pre_hook(lambda *_, n=name: self.begin(n))
            module.register_forward_hook(lambda *_, n=name: self.end(n))
        decode = pipe.vae.decode

        def timed(*args, **kwargs):
            self.begin("vae")
            try:
                return decode(*args, **kwargs)
            finally:
                self.end("vae")

        pipe.vae.decode = timed

    def begin(self, name):
        self.spans[name].append([self.clock.now(), None])

    def end(self, name):
        self.spans[name][-1][1] = self.clock.now()

    def take(self):
        taken = {n: [self.clock.seconds(*s) for s in spans] for n, spans in self.spans.items()}
        for spans in self.spans.values():
            spans.clear()
        return taken


class Draw:
    """Clock and power of one GPU, from nvidia-smi as it runs."""

    def __init__(self, index):
        self.rows = []
        query = ["nvidia-smi", "-i", str(index), "--query-gpu=clocks.sm,power.draw", "--format=csv,noheader,nounits", "-lms", "200"]
        try:
            self.process = subprocess.Popen(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except OSError:
            self.process = None
            return
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            try:
                self.rows.append((time.perf_counter(), *map(float, line.split(","))))
            except ValueError:
                pass

    def means(self, since):
        rows = [r for r in self.rows if r[0] >= since]
        if not rows:
            return None, None
        return statistics.mean(r[1] for r in rows), statistics.mean(r[2] for r in rows)

    def stop(self):
        if self.process:
            self.process.terminate()


def flops_of(config, size, caption):
    """Operations of one forward of one picture, products and attention, as `trireme plan` counts them."""
    dim, feed, tokens = config.dim, int(config.dim / 3 * 8), (size // 16) ** 2
    parameters = 4 * dim * dim + 3 * dim * feed
    layer = lambda n: 2 * parameters * n + 4 * n * n * dim
    return config.n_layers * layer(tokens + caption) + config.n_refiner_layers * layer(tokens)


def cell(value, digits=0):
    return "" if value is None else f"{value:.{digits}f}"


def picture_rows(args, device, dtype):
    pipe = pipeline(pathlib.Path(args.shapes), device, dtype)
    clock = Clock(device)
    prompts = [p for p in pathlib.Path(args.prompts).read_text().splitlines() if p.strip()]
    draw = Draw(device.index or 0)
    for how in args.how.split(","):
        if how == "compiled":
            pipe.transformer.compile_repeated_blocks()
            pipe.vae.decoder = torch.compile(pipe.vae.decoder)
        parts = Parts(pipe, clock)
        for size in map(int, args.sizes.split(",")):
            for batch in map(int, args.batches.split(",")):
                if batch > 1 and size > args.batch_size_limit:
                    continue
                row(args, pipe, parts, draw, how, size, batch, prompts, device)
        for name in ("transformer", "text_encoder"):
            getattr(pipe, name)._forward_hooks.clear()
            getattr(pipe, name)._forward_pre_hooks.clear()
        del pipe.vae.decode  # the class's own again
    draw.stop()


def row(args, pipe, parts, draw, how, size, batch, prompts, device):
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    units = max(3, -(-args.images // batch))
    since, wall, made = 0, [], []
    warm_up = max(args.warm_up, units)  # the very texts, so that no length of a caption is compiled while it is measured
    with tempfile.TemporaryDirectory() as folder:
        for unit in [*range(-warm_up, 0), *range(units)]:
            if unit == 0:
                since = time.perf_counter()
            start = time.perf_counter()
            first = unit % units * batch
            texts = [prompts[i % len(prompts)] for i in range(first, first + batch)]
            noise = [torch.Generator("cpu").manual_seed(i) for i in range(first, first + batch)]
            pictures = pipe(texts, height=size, width=size, num_inference_steps=args.steps, guidance_scale=0.0, generator=noise).images
            done = time.perf_counter()
            for i, picture in enumerate(pictures, first):
                picture.save(f"{folder}/{i}.png")
            if cuda:
                torch.cuda.synchronize()
            spans = parts.take()
            if unit >= 0:
                wall.append(done - start)
                made.append(spans)
    seconds = (time.perf_counter() - since) / (units * batch)
    total = lambda name: statistics.median(sum(s[name]) for s in made)
    forward = statistics.median(t for s in made for t in s["transformer"])
    outside = statistics.median(w - sum(map(sum, s.values())) for w, s in zip(wall, made))
    mhz, watts = draw.means(since)
    percent = 100 * batch * flops_of(pipe.transformer.config, size, 64) / forward / PEAK_FLOPS if cuda else None
    peak = torch.cuda.max_memory_allocated() / 2**30 if cuda else 0
    joules = watts * seconds if watts else None
    say(args, f"| diffusers, {how} | 1 | {size}x{size} | {batch} | {seconds:.4f} | {1e3 * forward:.2f} | {1e3 * total('text_encoder'):.2f} "
        f"| {1e3 * total('vae'):.2f} | {1e3 * outside:.2f} | {peak:.2f} | {cell(percent, 1)} | {cell(mhz)} | {cell(watts)} | {cell(joules)} |")


def scale_rows(args, device, dtype):
    """Images a second of all ranks, PNGs written by rank 0 at the end, beside what rank 0 makes alone."""
    rank, world = dist.get_rank(), dist.get_world_size()
    pipe = pipeline(pathlib.Path(args.shapes), device, dtype)
    if "compiled" in args.how:
        pipe.transformer.compile_repeated_blocks()
        pipe.vae.decoder = torch.compile(pipe.vae.decoder)
    prompts = [p for p in pathlib.Path(args.prompts).read_text().splitlines() if p.strip()]
    size = int(args.sizes.split(",")[0])

    def generate(i):
        return pipe(prompts[i % len(prompts)], height=size, width=size, num_inference_steps=args.steps, guidance_scale=0.0,
                    generator=torch.Generator("cpu").manual_seed(i)).images[0]

    for i in range(max(args.warm_up, min(16, args.scale))):  # those that are measured alone
        generate(i)
    alone = []
    for turn in range(world):  # each GPU by itself, one after the other
        dist.barrier()
        start = time.perf_counter()
        if turn == rank:
            for i in range(min(16, args.scale)):
                generate(i)
        rate = [min(16, args.scale) / (time.perf_counter() - start)]
        dist.broadcast_object_list(rate, src=turn)
        alone.append(rate[0])
    dist.barrier()
    start = time.perf_counter()
    mine = [generate(i) for i in range(rank, args.scale * world, world)]
    everyone = [None] * world
    dist.gather_object(mine, everyone if rank == 0 else None)
    if rank == 0:
        with tempfile.TemporaryDirectory() as folder:
            for k, picture in enumerate(p for share in everyone for p in share):
                picture.save(f"{folder}/{k}.png")
        rate = args.scale * world / (time.perf_counter() - start)
        say(args, "| what | GPUs | images | images/s | sum of each GPU alone | efficiency |\n|---|---:|---:|---:|---:|---:|")
        say(args, f"| diffusers, {args.how} | {world} | {args.scale * world} | {rate:.4f} | {sum(alone):.4f} | {rate / sum(alone):.3f} |")


def z_image_forward(args, size, device, dtype):
    """As the pipeline calls it: one picture, a caption of 120 tokens. Gives its blocks and the call."""
    config = read(pathlib.Path(args.shapes) / "transformer/config.json") | ({"n_layers": args.layers} if args.layers else {})
    model = build(lambda: ZImageTransformer2DModel(**config), device, dtype)
    latents = [torch.randn(16, 1, size // 8, size // 8, device=device, dtype=dtype)]
    caption, time = [torch.randn(120, config["cap_feat_dim"], device=device, dtype=dtype)], torch.tensor([0.3], device=device)
    return [*model.noise_refiner, *model.context_refiner, *model.layers], lambda: model(latents, time, caption, return_dict=False)


def newbie_forward(args, size, device, dtype):
    """NewBie-image is no diffusers model: Lumina2's transformer at its sizes has the same products and attention."""
    make = lambda: Lumina2Transformer2DModel(hidden_size=2304, num_layers=args.layers or 36, num_attention_heads=24, num_kv_heads=8, cap_feat_dim=2560,
                                             axes_lens=(1024, 512, 512))
    model = build(make, device, dtype)
    rope = model.rope_embedder  # its tables are made when it is
    model.rope_embedder = type(rope)(theta=10000, axes_dim=rope.axes_dim, axes_lens=rope.axes_lens, patch_size=rope.patch_size)
    latents = torch.randn(1, 16, size // 8, size // 8, device=device, dtype=dtype)
    caption, mask = torch.randn(1, 256, 2560, device=device, dtype=dtype), torch.ones(1, 256, device=device, dtype=torch.bool)
    time = torch.tensor([0.5], device=device)
    return [*model.noise_refiner, *model.context_refiner, *model.layers], lambda: model(latents, time, caption, mask, return_dict=False)


def forward_rows(args, device, dtype):
    """Forwards back to back on a card that is hot: behind --warm seconds of them."""
    clock, draw = Clock(device), Draw(device.index or 0)
    say(args, "| forward | diffusers | ms | MHz | W |\n|---|---|---:|---:|---:|")
    for network in args.forwards.split(","):
        kind, size = network.rsplit("_", 1)
        with torch.no_grad():
            blocks, forward = {"z_image": z_image_forward, "newbie": newbie_forward}[kind](args, int(size), device, dtype)
            for how in args.how.split(","):
                if how == "compiled":
                    for block in blocks:
                        block.compile()
                forward()
                since, times = time.perf_counter(), []
                while time.perf_counter() < since + args.warm:
                    forward()
                    if device.type == "cuda":
                        torch.cuda.synchronize()
                since = time.perf_counter()
                for _ in range(args.repeats):
                    begin = clock.now()
                    forward()
                    times.append((begin, clock.now()))
                if device.type == "cuda":
                    torch.cuda.synchronize()
                ms = 1e3 * statistics.median(clock.seconds(*t) for t in times)
                mhz, watts = draw.means(since)
                say(args, f"| {network} | {how} | {ms:.2f} | {cell(mhz)} | {cell(watts)} |")
        del blocks, forward
    draw.stop()


def say(args, line):
    print(line, flush=True)
    if args.append:
        with open(args.append, "a") as file:
            file.write(line + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--how", default="eager,compiled")
    parser.add_argument("--sizes", default="1024")
    parser.add_argument("--batches", default="1")
    parser.add_argument("--batch-size-limit", type=int, default=8192, help="largest size of batches above 1")
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--warm-up", type=int, default=2, help="units that do not count, at least; as many as count")
    parser.add_argument("--scale", type=int, default=0, help="images a GPU, under torchrun")
    parser.add_argument("--forwards", default="", help="z_image_1024,newbie_1024: transformers alone, by the width of the picture")
    parser.add_argument("--layers", type=int, default=0, help="of those, to try it out")
    parser.add_argument("--warm", type=float, default=2, help="seconds before forwards count")
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--shapes", default=str(BENCH / "shapes/z_image_turbo"))
    parser.add_argument("--prompts", default=str(BENCH / "prompts/pictures.txt"))
    parser.add_argument("--append", help="a file that the rows are appended to")
    args = parser.parse_args()
    torch._dynamo.config.automatic_dynamic_shapes = False  # the best kernels of each shape, and one
    torch._dynamo.config.recompile_limit = 64  # for every length of a caption: behind the limit it is eager again
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if cuda else torch.device("cpu")
    dtype = torch.bfloat16 if cuda else torch.float32
    if cuda:
        torch.cuda.set_device(device)
    if args.scale:
        dist.init_process_group("nccl" if cuda else "gloo", device_id=device if cuda else None)
        scale_rows(args, device, dtype)
        dist.destroy_process_group()
    elif args.forwards:
        forward_rows(args, device, dtype)
    else:
        picture_rows(args, device, dtype)


if __name__ == "__main__":
    main()
