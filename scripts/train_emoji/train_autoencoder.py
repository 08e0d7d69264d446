#!/usr/bin/env python3
"""First training: the autoencoder, on the font's pictures in front of plain colours.

    python scripts/train_emoji/train_autoencoder.py DATA OUT --seconds 110

Writes OUT/vae and OUT/latents.pt: the latents of all pictures on all backgrounds, scaled as the denoiser sees them.
"""

import argparse
import json
import pathlib
import time

import numpy
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

import captions
import checkpoint
import optimiser

CONFIG = dict(block_out_channels=(32, 64, 96, 128), layers_per_block=1, latent_channels=16, norm_num_groups=4, sample_size=128,
              use_quant_conv=False, use_post_quant_conv=False, force_upcast=False,
              down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)


def palette(device):
    return torch.tensor([rgb for _, rgb, _, _ in captions.COLOURS], device=device, dtype=torch.float32)


def compose(glyphs, colours):
    """[n, 4, 128, 128] uint8 on [n, 3] of 0..255 -> [n, 3, 128, 128] in -1..1"""
    alpha = glyphs[:, 3:].float() / 255
    return (glyphs[:, :3].float() * alpha + colours[:, :, None, None] * (1 - alpha)) / 127.5 - 1


def draw_batch(glyphs, colours, size):
    """Half white, the rest on a colour of the palette or any other"""
    device = glyphs.device
    chosen = colours[torch.randint(len(colours), (size,), device=device)]
    kind = torch.rand(size, 1, device=device)
    chosen = torch.where(kind < 0.4, colours[0], torch.where(kind < 0.85, chosen, 255 * torch.rand(size, 3, device=device)))
    return compose(glyphs[torch.randint(len(glyphs), (size,), device=device)], chosen)


def loss_of(vae, pictures):
    moments = vae.encoder(pictures).float()
    mean, log_variance = moments.chunk(2, 1)
    log_variance = log_variance.clamp(-30, 20)
    extra = 0.12 * torch.rand(len(mean), 1, 1, 1, device=mean.device)
    latents = mean + torch.randn_like(mean) * (log_variance.exp() + extra ** 2 * mean.detach().var()).sqrt()
    out = vae.decoder(latents).float()
    error = out - pictures
    slopes = (error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean())
    coarse = functional.avg_pool2d(error, 4).abs().mean()
    divergence = 0.5 * (mean.pow(2) + log_variance.exp() - 1 - log_variance).mean()
    return error.abs().mean() + 0.5 * slopes + 0.5 * coarse + 2 * error.pow(2).mean() + 5e-4 * divergence


@torch.no_grad()
def encode_all(vae, glyphs, colours):
    """-> [backgrounds, n, 16, 16, 16] unscaled means"""
    return torch.stack([torch.cat([vae.encode(compose(part, colour.expand(len(part), 3))).latent_dist.mean
                                   for part in glyphs.split(256)]) for colour in colours])


@torch.no_grad()
def psnr_all(vae, latents, glyphs, colours):
    """-> [backgrounds, n] dB of what `encode_all` gave"""
    errors = []
    for colour, rows in zip(colours, latents):
        for part, row in zip(glyphs.split(256), rows.split(256)):
            out = vae.decode(row).sample.clamp(-1, 1)
            errors.append((out - compose(part, colour.expand(len(part), 3))).pow(2).mean((1, 2, 3)))
    return 10 * torch.log10(4 / torch.cat(errors).view(len(colours), -1))


def save_latents(latents, shift, scale, folder):
    torch.save(((latents - shift) * scale).half().cpu(), folder / "latents.part")
    (folder / "latents.part").rename(folder / "latents.pt")  # whoever waits for it finds it complete


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=110, help="of training; the schedule follows the clock")
    parser.add_argument("--steps", type=int, help="train so many steps instead")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--only-encode", action="store_true", help="take OUT/vae as it is and write the latents")
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    glyphs = torch.from_numpy(numpy.load(args.data / "glyphs.npz")["glyphs"]).permute(0, 3, 1, 2).contiguous().to(device)
    colours = palette(device)
    if args.only_encode:
        vae = AutoencoderKL.from_pretrained(args.out / "vae", torch_dtype=torch.float32).to(device).eval()
        save_latents(encode_all(vae, glyphs, colours), vae.config.shift_factor, vae.config.scaling_factor, args.out)
        return
    vae = AutoencoderKL(**CONFIG).to(device)
    count = sum(p.numel() for p in vae.parameters())
    step_loss = torch.compile(loss_of) if args.compile else loss_of
    trained = optimiser.Optimiser([(vae, 3e-3, 1.5e-3)], fused=device == "cuda")
    mean = optimiser.Mean(vae, 0.998)
    step, start = 0, None
    while True:
        if step == 3 or start is None:
            start = time.monotonic()  # compiling does not count
        done = step / args.steps if args.steps else (time.monotonic() - start) / args.seconds
        if done >= 1:
            break
        with torch.autocast(device, torch.bfloat16):
            loss = step_loss(vae, draw_batch(glyphs, colours, args.batch))
        loss.backward()
        trained.set_rates(optimiser.schedule(done))
        trained.step()
        mean.update()
        if step % 500 == 0:
            print(f"vae step {step} loss {loss.item():.4f} {time.monotonic() - start:.0f} s", flush=True)
        step += 1
    mean.swap()
    checkpoint.rounded(vae).eval()
    latents = encode_all(vae, glyphs, colours)
    psnr = psnr_all(vae, latents, glyphs, colours)
    shift, scale = round(latents.mean().item(), 4), round(1 / latents.std().item(), 4)
    print(f"vae {count} parameters {step} steps PSNR white {psnr[0].mean():.1f} worst {psnr[0].min():.1f} "
          f"colours {psnr[1:].mean():.1f} worst {psnr[1:].min():.1f} dB shift {shift} scale {scale}", flush=True)
    vae.register_to_config(scaling_factor=scale, shift_factor=shift)
    checkpoint.save(vae.state_dict(), args.out / "vae", "diffusion_pytorch_model")
    config = {"_class_name": "AutoencoderKL", "_diffusers_version": "0.36.0.dev0", "act_fn": "silu", "in_channels": 3,
              "out_channels": 3, "latents_mean": None, "latents_std": None, "mid_block_add_attention": True,
              "scaling_factor": scale, "shift_factor": shift, **{k: list(v) if isinstance(v, tuple) else v for k, v in CONFIG.items()}}
    checkpoint.write_json(args.out / "vae" / "config.json", config)
    checkpoint.write_json(args.out / "vae.json", {"steps": step, "psnr_white": psnr[0].mean().item(), "psnr_white_worst":
                          psnr[0].min().item(), "psnr_colours": psnr[1:].mean().item(), "parameters": count})
    save_latents(latents, shift, scale, args.out)


if __name__ == "__main__":
    main()
