#!/usr/bin/env python3
"""Makes small random-weight Z-Image checkpoints in the layout of the released one.

    python scripts/make_tiny_model.py [models/z_image_tiny]

Every part of the real architecture is there, only narrower and shallower, so the demo and the tests run the real code in
seconds. Pictures made with it are noise. Needs tests/golden/requirements.txt. The same seed gives the same files.
"""

import argparse
import json
import pathlib
import re
import shutil
import sys

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, ZImageTransformer2DModel
from transformers import Qwen3Config, Qwen3ForCausalLM

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "train_emoji"))
import vocabulary  # noqa: E402

# Text the byte-level BPE learns its merges from: enough to give common words of the demo's prompts one token.
CORPUS = [
    "a photo of a red fox in the snow at sunrise, soft light, shallow depth of field",
    "an old lighthouse on a cliff above a stormy sea, oil painting, thick brush strokes",
    "a bowl of ramen on a wooden table, steam rising, close up, warm light, film grain",
    "the skyline of a city at night, neon signs, rain on the street, reflections",
    "a portrait of an astronaut in a field of flowers, looking up, high detail",
    "a watercolour of a small village between mountains, morning fog, gentle colours",
    "a robot reading a book in a library, dust in the light, cinematic, wide shot",
    "bad quality, blurry, low resolution, distorted hands, watermark, text",
    "user assistant system", "1234567890 1024x768", "It's, don't, we're, I'll, you've",
    "一只红色的狐狸站在雪地里,日出,柔和的光线", "山间的小村庄,清晨的薄雾,水彩画",
    "夜晚的城市天际线,霓虹灯,雨中的街道和倒影", "一碗热腾腾的拉面放在木桌上,特写,暖色调",
    "宇航员站在花田里抬头看天空,高清,细节丰富", "图书馆里读书的机器人,光线中的灰尘,电影感",
]
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

# Every variant is a complete description; what differs from the released model is only size.
TINY = {
    "seed": 20,
    "transformer": dict(in_channels=16, dim=96, n_layers=4, n_refiner_layers=2, n_heads=2, n_kv_heads=2, cap_feat_dim=64,
                        axes_dims=[16, 16, 16], axes_lens=[1536, 512, 512]),
    "text": dict(hidden_size=64, intermediate_size=128, num_hidden_layers=4, num_attention_heads=4,
                 num_key_value_heads=2, head_dim=32, max_position_embeddings=40960, rms_norm_eps=1e-6,
                 rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}, tie_word_embeddings=True),
    "vae": dict(block_out_channels=[16, 32, 32, 32], layers_per_block=2, norm_num_groups=8, sample_size=1024,
                use_quant_conv=False, use_post_quant_conv=False),
    "vocab": 1024,
    "shift": 3.0,
    "dtypes": {"transformer": torch.bfloat16, "text_encoder": torch.bfloat16, "vae": torch.bfloat16},
    "shard": "1500KB",
}


def make_tokenizer(vocab_size, special_tokens=SPECIAL_TOKENS):
    return vocabulary.learn(CORPUS, vocab_size, special_tokens)


def randomise(module, seed):
    """Values that make a mistake visible: no weight is one, no bias zero, activations stay of order one."""
    generator = torch.Generator("cpu").manual_seed(seed)
    for name, parameter in sorted(module.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if name.endswith("embed_tokens.weight") or name.endswith("pad_token"):
            parameter.data = 0.5 * noise
        elif parameter.dim() >= 2:
            parameter.data = noise * parameter[0].numel() ** -0.5
        elif name.endswith("bias"):
            parameter.data = 0.1 * noise
        else:
            parameter.data = 1 + 0.1 * noise
    return module


def shrink(module, factors):
    """Scales the parameters whose names match a pattern."""
    for pattern, factor in factors.items():
        for name, parameter in module.named_parameters():
            if re.search(pattern, name):
                parameter.data *= factor


def round_parameters(module, dtype):
    """To values that a file of `dtype` holds. Buffers stay as they are: rope frequencies must keep float32."""
    for parameter in module.parameters():
        parameter.data = parameter.data.to(dtype).to(torch.float32)
    return module


def edit_json(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def save_text_encoder(folder, model, released_names):
    """`released_names`: config keys as in the released file (transformers 4); else as transformers 5 writes them."""
    model.save_pretrained(folder)

    def flatten(config):
        config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
        config["torch_dtype"] = config.pop("dtype")
        config.pop("layer_types", None)
    if released_names:
        edit_json(folder / "config.json", flatten)


def build(spec):
    """The modules of a variant, float32 with values that the file dtypes can hold."""
    tokenizer = make_tokenizer(spec["vocab"])
    vocab_rows = (tokenizer.get_vocab_size() + 63) // 64 * 64  # the real table is longer than its vocabulary, too
    ids = {name: tokenizer.token_to_id(name) for name in SPECIAL_TOKENS}
    parts = {
        "transformer": ZImageTransformer2DModel(**spec["transformer"]),
        "text_encoder": Qwen3ForCausalLM(Qwen3Config(vocab_size=vocab_rows, bos_token_id=ids["<|endoftext|>"],
                                                     eos_token_id=ids["<|im_end|>"], **spec["text"])),
        "vae": AutoencoderKL(in_channels=3, out_channels=3, latent_channels=spec["transformer"]["in_channels"],
                             down_block_types=["DownEncoderBlock2D"] * len(spec["vae"]["block_out_channels"]),
                             up_block_types=["UpDecoderBlock2D"] * len(spec["vae"]["block_out_channels"]),
                             scaling_factor=0.3611, shift_factor=0.1159, **spec["vae"]),
    }
    for index, name in enumerate(parts):
        randomise(parts[name], spec["seed"] + index)
        shrink(parts[name], spec.get("shrink", {}).get(name, {}))
        round_parameters(parts[name], spec["dtypes"][name]).eval()
    return tokenizer, parts


def make(folder, spec):
    folder = pathlib.Path(folder)
    readme = folder / "README.md"
    kept = readme.read_text() if readme.exists() else None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tokenizer, parts = build(spec)
    vocabulary.save(tokenizer, folder / "tokenizer")
    dtypes = spec["dtypes"]
    save_text_encoder(folder / "text_encoder", parts["text_encoder"].to(dtypes["text_encoder"]), released_names=True)
    parts["transformer"].to(dtypes["transformer"]).save_pretrained(folder / "transformer", max_shard_size=spec["shard"])
    parts["vae"].to(dtypes["vae"]).save_pretrained(folder / "vae")
    FlowMatchEulerDiscreteScheduler(shift=spec["shift"]).save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps({
        "_class_name": "ZImagePipeline", "_diffusers_version": "0.36.0.dev0",
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"], "text_encoder": ["transformers", "Qwen3Model"],
        "tokenizer": ["transformers", "Qwen2Tokenizer"], "transformer": ["diffusers", "ZImageTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }, indent=2) + "\n")
    if kept is not None:
        readme.write_text(kept)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="models/z_image_tiny")
    make(parser.parse_args().folder, TINY)
