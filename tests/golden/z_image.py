#!/usr/bin/env python3
"""Golden data of Z-Image from diffusers and transformers, float32 on the CPU. Needs requirements.txt beside this file.

    python tests/golden/z_image.py

Two checkpoints: models/z_image_tiny (diffusers names, shards, bf16 files) and z_image_base/, made here: the single file with
fused q, k, v, half and single precision files, a VAE with quant convolutions and old attention names, shift 6.
For each: <name>.json (what was asked, token ids) and <name>.safetensors (what came out, float32 but for the pictures).
Random inputs are not stored: they are torch.randn of a CPU generator with the seed given in the case.
"""

import json
import pathlib
import shutil
import sys

import numpy
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline
from safetensors.torch import save_file
from transformers import AutoTokenizer

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import make_tiny_model as tiny  # noqa: E402

BASE = {
    "seed": 40,
    "transformer": dict(in_channels=16, dim=64, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=32,
                        axes_dims=[8, 12, 12], axes_lens=[1024, 512, 512], rope_theta=100.0, t_scale=1000.0, norm_eps=2e-5),
    "text": dict(hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=4,
                 head_dim=16, max_position_embeddings=1024, rms_norm_eps=1e-6,
                 rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, tie_word_embeddings=True),
    "vae": dict(block_out_channels=[16, 32], layers_per_block=1, norm_num_groups=8, sample_size=32),
    "vocab": 512,
    # Activations so small that every epsilon of every norm shows in the results.
    "shrink": {
        "transformer": {r"attention_norm2|ffn_norm2|x_embedder|cap_embedder.1|pad_token": 0.003, r"to_q|to_k": 0.02},
        "text_encoder": {r"embed_tokens|o_proj|down_proj": 0.01, r"q_proj|k_proj": 0.01},
        "vae": {r"decoder.*conv(1|2|_in|_shortcut|)\.(weight|bias)|to_out": 0.01},
    },
    "shift": 6.0,
    "dtypes": {"transformer": torch.float16, "text_encoder": torch.float32, "vae": torch.float32},
}


def single_file_names(transformer):
    """The names of the original release: fused q, k, v; the prefix; an unused norm_final."""
    state = dict(transformer.state_dict())
    result = {}
    for name, value in state.items():
        if name.endswith("attention.to_q.weight"):
            value = torch.cat([state[name.replace("to_q", part)] for part in ("to_q", "to_k", "to_v")])
            name = name.replace("to_q", "qkv")
        elif name.endswith(("attention.to_k.weight", "attention.to_v.weight")):
            continue
        for new, old in (("all_x_embedder.2-1.", "x_embedder."), ("all_final_layer.2-1.", "final_layer."),
                         ("attention.to_out.0.", "attention.out."), ("attention.norm_q.", "attention.q_norm."),
                         ("attention.norm_k.", "attention.k_norm.")):
            name = name.replace(new, old)
        result["model.diffusion_model." + name] = value.contiguous()
    result["model.diffusion_model.norm_final.weight"] = torch.ones(transformer.dim, dtype=torch.float16)
    return result


def old_attention_names(vae):
    result = {}
    for name, value in vae.state_dict().items():
        if ".attentions.0." in name:
            for new, old in ((".to_q.", ".query."), (".to_k.", ".key."), (".to_v.", ".value."), (".to_out.0.", ".proj_attn.")):
                name = name.replace(new, old)
            if value.dim() == 2:
                value = value[:, :, None, None]
        result[name] = value.contiguous()
    return result


def make_base(folder):
    """Writes the second checkpoint and returns the pipeline, built from the same modules and not from the files."""
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer, parts = tiny.build(BASE)
    tiny.vocabulary.save(tokenizer, folder / "tokenizer")
    pipeline = ZImagePipeline(scheduler=FlowMatchEulerDiscreteScheduler(shift=BASE["shift"]), vae=parts["vae"],
                              text_encoder=parts["text_encoder"],
                              tokenizer=AutoTokenizer.from_pretrained(folder / "tokenizer"),
                              transformer=parts["transformer"])
    parts["text_encoder"].model.save_pretrained(folder / "text_encoder", max_shard_size="100KB")
    parts["vae"].save_config(folder / "vae")
    tiny.edit_json(folder / "vae" / "config.json", lambda c: [c.pop(k) for k in ("use_quant_conv", "use_post_quant_conv")])
    save_file(old_attention_names(parts["vae"]), folder / "vae" / "diffusion_pytorch_model.safetensors")
    parts["transformer"].save_config(folder / "transformer")
    half = {name: value.to(torch.float16) for name, value in single_file_names(parts["transformer"]).items()}
    save_file(half, folder / "transformer" / "diffusion_pytorch_model.safetensors")
    pipeline.scheduler.save_pretrained(folder / "scheduler")
    shutil.copy(ROOT / "models" / "z_image_tiny" / "model_index.json", folder)
    return pipeline


def draw(shape, seed):
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))


class Golden:
    def __init__(self, pipeline):
        self.pipeline, self.tensors = pipeline, {}
        self.cases = {"captions": [], "velocities": [], "decodes": [], "images": []}

    def keep(self, case, name, value):
        self.tensors[f"{case}/{name}"] = value.detach().clone().contiguous()

    def caption(self, name, prompt, tail=None):
        """`tail`: only the last rows are kept, for long ones."""
        text = self.pipeline.tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False,
                                                           add_generation_prompt=True, enable_thinking=True)
        ids = self.pipeline.tokenizer(text, truncation=True, max_length=512).input_ids
        features = self.pipeline._encode_prompt(prompt)[0]
        assert len(features) == len(ids)
        self.cases["captions"].append({"name": name, "prompt": prompt, "ids": ids, "tail": tail or len(ids)})
        self.keep(name, "caption", features[-(tail or len(ids)):])
        return len(ids)

    def velocity(self, name, tokens, length, t, seed, inner=False):
        transformer = self.pipeline.transformer
        latents = draw([transformer.in_channels, 1, 2 * tokens[0], 2 * tokens[1]], seed)
        caption = draw([length, transformer.config.cap_feat_dim], seed + 1)
        watched = {"adaln": transformer.t_embedder, "image_refined": transformer.noise_refiner[-1],
                   "caption_refined": transformer.context_refiner[-1], "layer_first": transformer.layers[0],
                   "layer_last": transformer.layers[-1]} if inner else {}
        hooks = [module.register_forward_hook(lambda m, i, out, key=key: self.keep(name, key, out[0]))
                 for key, module in watched.items()]
        output = transformer([latents], torch.tensor([t]), [caption], return_dict=False)[0][0]
        for hook in hooks:
            hook.remove()
        self.cases["velocities"].append({"name": name, "height": tokens[0], "width": tokens[1], "length": length,
                                         "t": t, "seed": seed, "inner": inner})
        self.keep(name, "velocity", output[:, 0])

    def decode(self, name, size, seed, tiled=False):
        vae = self.pipeline.vae
        vae.use_tiling = tiled
        latents = draw([1, vae.config.latent_channels, *size], seed)
        self.keep(name, "image", vae.decode(latents, return_dict=False)[0][0])
        vae.use_tiling = False
        self.cases["decodes"].append({"name": name, "height": size[0], "width": size[1], "seed": seed, "tiled": tiled})

    def image(self, name, tensors=False, **item):
        item = {"prompt": "a red fox in the snow", "negative_prompt": "", "seed": 1, "width": 48, "height": 32, "steps": 4,
                "guidance": 0.0, "cfg_truncation": 1.0, "cfg_normalization": 0.0,
                "shift": self.pipeline.scheduler.config.shift, **item}
        self.pipeline.scheduler.set_shift(item["shift"])
        latents = self.pipeline(item["prompt"], item["height"], item["width"], item["steps"],
                                guidance_scale=item["guidance"], cfg_normalization=item["cfg_normalization"],
                                cfg_truncation=item["cfg_truncation"], negative_prompt=item["negative_prompt"],
                                generator=torch.Generator("cpu").manual_seed(item["seed"]), output_type="latent")[0]
        vae = self.pipeline.vae
        image = vae.decode(latents / vae.config.scaling_factor + vae.config.shift_factor, return_dict=False)[0]
        picture = self.pipeline.image_processor.postprocess(image, output_type="pil")[0]
        self.cases["images"].append({"name": name, **item, "tensors": tensors})
        self.keep(name, "latents", latents[0])
        self.keep(name, "picture", torch.from_numpy(numpy.array(picture)))
        if tensors:
            self.keep(name, "image", image[0])
            self.keep(name, "sigmas", self.pipeline.scheduler.sigmas)
            self.keep(name, "times", (1000 - self.pipeline.scheduler.timesteps) / 1000)
            self.keep(name, "caption", self.pipeline._encode_prompt(item["prompt"])[0])

    def save(self, name):
        save_file(self.tensors, HERE / f"{name}.safetensors")
        (HERE / f"{name}.json").write_text(json.dumps(self.cases, indent=1, ensure_ascii=False) + "\n")


def words_for_length(pipeline, golden, name, length):
    """A prompt whose caption has exactly `length` tokens."""
    prompt = "a"
    while golden_length(pipeline, prompt) < length:
        prompt += " a"
    assert golden.caption(name, prompt) == length


def golden_length(pipeline, prompt):
    text = pipeline.tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False,
                                                  add_generation_prompt=True)
    return len(pipeline.tokenizer(text).input_ids)


@torch.no_grad()
def turbo():
    pipeline = ZImagePipeline.from_pretrained(ROOT / "models" / "z_image_tiny", torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    golden = Golden(pipeline)
    golden.caption("empty", "")
    golden.caption("chinese", "一只红色的狐狸站在雪地里 🦊, 日出")
    golden.caption("special", "before<|im_end|>\n<|im_start|>user\nafter <|endoftext|>")
    for length in (31, 32, 33):
        words_for_length(pipeline, golden, f"length_{length}", length)
    golden.caption("truncated", " ".join(f"{i} foxes," for i in range(300)), tail=4)

    golden.velocity("one_token", (4, 4), 1, 0.0, seed=100, inner=True)
    golden.velocity("odd_grid_31", (5, 7), 31, 0.25, seed=101)
    golden.velocity("odd_grid_32", (5, 7), 32, 0.6, seed=102)
    golden.velocity("odd_grid_33", (7, 5), 33, 0.1, seed=103)
    golden.velocity("no_padding", (8, 4), 32, 0.5, seed=104, inner=True)
    golden.velocity("late", (1, 1), 100, 0.95, seed=105)

    golden.decode("small", (4, 6), seed=200)
    golden.decode("odd", (10, 6), seed=201)

    prompts = ["a red fox in the snow", "夜晚的城市天际线,霓虹灯", "", "rain"]
    for steps in range(1, 10):
        golden.image(f"steps_{steps}", steps=steps, seed=1000 + steps, prompt=prompts[steps % 4])
    golden.image("odd_grid", width=112, height=80, steps=3, seed=5, tensors=True)
    golden.image("large_seed", seed=2**63 + 12345)
    golden.image("shift_6", shift=6.0, steps=9, tensors=True)
    golden.image("shift_1", shift=1.0, steps=3)
    golden.image("guided", guidance=3.0, steps=5, tensors=True)
    golden.image("guided_negative", guidance=4.0, steps=4, negative_prompt="bad quality, blurry", seed=3)
    golden.image("guided_truncated", guidance=5.0, steps=6, cfg_truncation=0.4, negative_prompt="blurry")
    golden.image("guided_never", guidance=5.0, steps=3, cfg_truncation=-1.0)
    golden.image("guided_normalised", guidance=4.0, steps=4, cfg_normalization=1.0, negative_prompt="text")
    golden.image("guided_all", guidance=2.5, steps=5, cfg_normalization=0.7, cfg_truncation=0.5, shift=6.0,
                 width=32, height=64, negative_prompt="低质量")
    golden.save("z_image_tiny")


@torch.no_grad()
def base():
    pipeline = make_base(HERE / "z_image_base")
    pipeline.set_progress_bar_config(disable=True)
    golden = Golden(pipeline)
    golden.caption("plain", "a photo of a red fox in the snow at sunrise")
    golden.velocity("odd_grid", (5, 7), 20, 0.4, seed=300, inner=True)
    golden.decode("whole", (16, 12), seed=400)
    golden.decode("tiled", (28, 18), seed=401, tiled=True)
    golden.image("guided", width=32, height=16, steps=5, guidance=4.0, negative_prompt="blurry", tensors=True)
    golden.image("plain", width=12, height=20, steps=7, seed=9)
    golden.save("z_image_base")


if __name__ == "__main__":
    torch.set_num_threads(1)
    turbo()
    base()
