#!/usr/bin/env python3
"""Golden data of NewBie-image, float32 on the CPU. Needs requirements.txt beside this file.

    python tests/golden/newbie_image.py

Compares newbie_reference.py with diffusers' Lumina2 transformer and transformers' Jina encoder, then writes two folders with
the same random weights: newbie_image/ as released (fused q, k, v; Gemma 3 with vision parts; Jina with adapters) and
newbie_image_diffusers/ (Lumina2's names, adapter merged, configs as transformers 5 writes them). newbie_image.json: what was
asked, newbie_image.safetensors: what came out, float32 but for the pictures. Random inputs of the velocities are
torch.randn of a CPU generator with the seed given in the case.
"""

import json
import pathlib
import shutil
import sys

import numpy
import torch
import transformers
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, Lumina2Transformer2DModel
from diffusers.image_processor import VaeImageProcessor
from safetensors.torch import save_file
from transformers import Gemma3TextConfig, Gemma3TextModel

import newbie_reference as reference
from newbie_reference import JinaTower, NextDit, lumina_names, merge_adapter, sample
from sentencepiece_tokenizers import XML, gemma_like, xlmr_like
from tokenizer import SENTENCES

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "scripts"))
import make_tiny_model as tiny  # noqa: E402

OFFICIAL, CONVERTED = HERE / "newbie_image", HERE / "newbie_image_diffusers"
SYSTEM = "You are an assistant designed to generate high-quality images based on user prompts."
CLASS = "NextDiT_3B_GQA_patch2_Adaln_Refiner_WHIT_CLIP"
DIT = dict(dim=48, heads=4, kv_heads=2, axes=[4, 4, 4], channels=16, layers=3, refiners=2)
CAPTION, POOLED, FEED_FORWARD = 32, 24, 192
JINA = dict(heads=3, layers=2, rope_base=20000.0)
JINA_INNER, RANK, ALPHA = 40, 4, 6
GEMMA = dict(hidden_size=CAPTION, intermediate_size=48, num_hidden_layers=5, num_attention_heads=4, num_key_value_heads=2,
             head_dim=12, query_pre_attn_scalar=20, sliding_window=7, rms_norm_eps=1e-6, max_position_embeddings=4096)
GEMMA_ROPE = {"sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
              "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0}}
PATTERN = 3


def draw(shape, seed):
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))


class Maker:
    """Random tensors by name: matrices keep activations of order one, no norm weight is one, no bias zero."""

    def __init__(self, seed, dtype):
        self.generator, self.dtype, self.weights = torch.Generator("cpu").manual_seed(seed), dtype, {}

    def __call__(self, name, *shape):
        noise = torch.randn(shape, generator=self.generator)
        if len(shape) > 1:
            noise = noise * shape[-1] ** -0.5
        elif name.endswith("bias"):
            noise = 0.1 * noise
        else:
            noise = 1 + 0.1 * noise
        self.weights[name] = noise.to(self.dtype).float()

    def linear(self, name, out, into, bias=True):
        self(name + ".weight", out, into)
        if bias:
            self(name + ".bias", out)


def make_dit():
    make, dim, kv = Maker(70, torch.bfloat16), DIT["dim"], DIT["kv_heads"] * (DIT["dim"] // DIT["heads"])
    make.linear("x_embedder", dim, 4 * DIT["channels"])
    make.linear("t_embedder.mlp.0", dim, 256)
    make.linear("t_embedder.mlp.2", dim, dim)
    make("cap_embedder.0.weight", CAPTION)
    make.linear("cap_embedder.1", dim, CAPTION)
    make("clip_text_pooled_proj.0.weight", POOLED)
    make.linear("clip_text_pooled_proj.1", POOLED, POOLED)
    make.linear("time_text_embed.1", dim, dim + POOLED)
    for name, count in (("noise_refiner", DIT["refiners"]), ("context_refiner", DIT["refiners"]), ("layers", DIT["layers"])):
        for i in range(count):
            prefix = f"{name}.{i}."
            make.linear(prefix + "attention.qkv", dim + 2 * kv, dim, bias=False)
            make.linear(prefix + "attention.out", dim, dim, bias=False)
            for norm in ("q_norm", "k_norm"):
                make(f"{prefix}attention.{norm}.weight", dim // DIT["heads"])
            make.linear(prefix + "feed_forward.w1", FEED_FORWARD, dim, bias=False)
            make.linear(prefix + "feed_forward.w2", dim, FEED_FORWARD, bias=False)
            make.linear(prefix + "feed_forward.w3", FEED_FORWARD, dim, bias=False)
            for norm in ("attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2"):
                make(f"{prefix}{norm}.weight", dim)
            if name != "context_refiner":
                make.linear(prefix + "adaLN_modulation.1", 4 * dim, dim)
    make.linear("final_layer.linear", 4 * DIT["channels"], dim)
    make.linear("final_layer.adaLN_modulation.1", dim, dim)
    make("norm_final.weight", dim)
    return make.weights


def make_jina(vocabulary):
    """Parametrised with two adapters, of which the second is the one for queries."""
    make = Maker(71, torch.float32)

    def adapted(name, *shape, embedding=False):
        stem = name + ".parametrizations.weight."
        make(stem + "original", *shape)
        a, b = ((shape[0], RANK), (RANK, shape[1])) if embedding else ((RANK, shape[1]), (shape[0], RANK))
        make(stem + "0.lora_A", 2, *a)
        make(stem + "0.lora_B", 2, *b)

    adapted("embeddings.word_embeddings", vocabulary, POOLED, embedding=True)
    adapted("embeddings.token_type_embeddings", 1, POOLED, embedding=True)
    norms = ["emb_ln"]
    for i in range(JINA["layers"]):
        for name, out, into in (("mixer.Wqkv", 3 * POOLED, POOLED), ("mixer.out_proj", POOLED, POOLED),
                                ("mlp.fc1", JINA_INNER, POOLED), ("mlp.fc2", POOLED, JINA_INNER)):
            adapted(f"encoder.layers.{i}.{name}", out, into)
            make(f"encoder.layers.{i}.{name}.bias", out)
        norms += [f"encoder.layers.{i}.norm1", f"encoder.layers.{i}.norm2"]
    for norm in norms:
        make(norm + ".weight", POOLED)
        make(norm + ".bias", POOLED)
    return make.weights


def check_dit(weights):
    config = dict(hidden_size=DIT["dim"], num_layers=DIT["layers"], num_refiner_layers=DIT["refiners"],
                  num_attention_heads=DIT["heads"], num_kv_heads=DIT["kv_heads"], multiple_of=32, axes_dim_rope=DIT["axes"],
                  axes_lens=[300, 64, 64], cap_feat_dim=CAPTION, in_channels=DIT["channels"])
    other = Lumina2Transformer2DModel(**config).eval()
    names = {name: value for name, value in lumina_names(weights, DIT).items()
             if "pooled_proj" not in name and "time_text_embed" not in name}
    other.load_state_dict(names, strict=True)
    latents, caption = draw([16, 10, 14], 1), draw([9, CAPTION], 2)
    mine = NextDit(weights, DIT)(latents, 0.3, caption, None)
    theirs = other(latents[None], torch.tensor([0.3]), caption[None], torch.ones(1, 9, dtype=torch.long), return_dict=False)[0][0]
    report("transformer", mine, theirs)


def check_jina(merged, vocabulary):
    config = transformers.JinaEmbeddingsV3Config(
        vocab_size=vocabulary, hidden_size=POOLED, num_hidden_layers=JINA["layers"], num_attention_heads=JINA["heads"],
        intermediate_size=JINA_INNER, rope_parameters={"rope_type": "default", "rope_theta": JINA["rope_base"]})
    other = transformers.JinaEmbeddingsV3Model(config, add_pooling_layer=False).eval()
    names = {}
    for name, value in merged.items():
        name = name.replace("emb_ln", "embeddings.LayerNorm").replace("encoder.layers", "layers")
        name = name.replace("norm1", "post_attention_layernorm").replace("norm2", "post_mlp_layernorm")
        name = name.replace("mixer.out_proj", "self_attn.o_proj")
        if "mixer.Wqkv" in name:
            for part, rows in zip("qkv", value.chunk(3)):
                names[name.replace("mixer.Wqkv", f"self_attn.{part}_proj")] = rows
        else:
            names[name] = value
    other.load_state_dict(names, strict=True)
    ids = torch.tensor([0, 17, 200, 1, 45, 300, 2])
    hidden = other(ids[None], attention_mask=(ids != 1).long()[None]).last_hidden_state[0]
    report("jina", JinaTower(merged, JINA)(ids), hidden[ids != 1].mean(0))


def report(what, mine, theirs):
    error = ((mine - theirs).abs().max() / theirs.abs().max()).item()
    print(f"{what}: {error:.1e} relative to the package that has it")
    assert error < 1e-5


class Pipeline:
    def __init__(self):
        corpus = tiny.CORPUS + XML + SENTENCES[:60]
        self.gemma_tokenizer = gemma_like(corpus * 2, 900)
        rules = HERE / "rules.tsv"
        rules.write_text("".join(f"{ord(c):X}\t{text}\n" for c, text in (
            ("™", "54 4D"), ("ª", "61"), ("ﬁ", "66 69"), ("１", "31"), ("，", "2C"), ("\n", "20"), ("\t", "20"))))
        self.clip_tokenizer = xlmr_like(corpus, 700, normalization_rule_tsv=str(rules))
        rules.unlink()
        rows = self.gemma_tokenizer.get_vocab_size() + 30
        layers = ["full_attention" if (i + 1) % PATTERN == 0 else "sliding_attention" for i in range(GEMMA["num_hidden_layers"])]
        self.gemma_config = Gemma3TextConfig(vocab_size=rows, layer_types=layers, rope_parameters=GEMMA_ROPE, **GEMMA)
        self.gemma = tiny.round_parameters(tiny.randomise(Gemma3TextModel(self.gemma_config), 72), torch.bfloat16).eval()
        for name, parameter in self.gemma.named_parameters():
            if "norm" in name:
                parameter.data = (parameter.data - 1).to(torch.bfloat16).float()  # they multiply by 1 + weight
        self.dit_weights = make_dit()
        self.clip_rows = self.clip_tokenizer.get_vocab_size()
        self.jina_weights = make_jina(self.clip_rows)
        self.jina_merged = merge_adapter(self.jina_weights, ALPHA / RANK, task=1)
        check_dit(self.dit_weights)
        check_jina(self.jina_merged, self.clip_rows)
        self.dit, self.jina = NextDit(self.dit_weights, DIT), JinaTower(self.jina_merged, JINA)
        self.vae = tiny.round_parameters(tiny.randomise(AutoencoderKL(
            in_channels=3, out_channels=3, latent_channels=16, down_block_types=["DownEncoderBlock2D"] * 4,
            up_block_types=["UpDecoderBlock2D"] * 4, block_out_channels=[8, 16, 16, 16], layers_per_block=1,
            norm_num_groups=4, sample_size=1024, use_quant_conv=False, use_post_quant_conv=False,
            scaling_factor=0.3611, shift_factor=0.1159), 73), torch.bfloat16).eval()

    def gemma_ids(self, text):
        return self.gemma_tokenizer.encode(text).ids[:512]

    def clip_ids(self, text):
        ids = self.clip_tokenizer.encode(text, add_special_tokens=False).ids
        return [0] + ids[:2046] + [2]

    def caption(self, text):
        return self.gemma(torch.tensor([self.gemma_ids(text)]), output_hidden_states=True).hidden_states[-2][0]

    def pooled(self, text):
        return self.jina(torch.tensor(self.clip_ids(text)))

    def latents(self, item):
        halves = {True: (self.caption(item["system_prompt"] + item["prompt"]), self.pooled(item["prompt"]))}
        negative = item["negative_prompt"]
        halves[False] = (self.caption(item["system_prompt"] + negative if negative else ""), self.pooled(negative))
        noise = draw([DIT["channels"], item["height"] // 8, item["width"] // 8], item["seed"])
        return sample(lambda x, t, positive: self.dit(x, t, *halves[positive]), noise, item), halves[True][0]

    def save(self):
        for folder in (OFFICIAL, CONVERTED):
            shutil.rmtree(folder, ignore_errors=True)
            self.vae.to(torch.bfloat16).save_pretrained(folder / "vae")
            self.vae.float()
        half = {name: value.to(torch.bfloat16) for name, value in self.dit_weights.items()}
        gemma = {name: value.to(torch.bfloat16) for name, value in self.gemma.state_dict().items()}

        write(OFFICIAL / "model_index.json", {
            "_class_name": "NewbiePipeline", "transformer": ["transformer", CLASS],
            "text_encoder": ["text_encoder", "Gemma3ForConditionalGeneration"], "tokenizer": ["text_encoder", "AutoTokenizer"],
            "clip_model": ["clip_model", "JinaCLIPModel"], "clip_tokenizer": ["clip_model", "AutoTokenizer"],
            "vae": ["vae", "AutoencoderKL"]})
        write(OFFICIAL / "transformer" / "config.json", {
            "_class_name": CLASS, "model_type": "nextdit_clip", "patch_size": 2, "dim": DIT["dim"], "n_layers": DIT["layers"],
            "n_heads": DIT["heads"], "n_kv_heads": DIT["kv_heads"], "in_channels": DIT["channels"], "axes_dims": DIT["axes"],
            "axes_lens": [1024, 512, 512], "clip_text_dim": POOLED, "clip_img_dim": POOLED})
        save_file(half, OFFICIAL / "transformer" / "diffusion_pytorch_model.safetensors")
        write(OFFICIAL / "text_encoder" / "config.json", {
            "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "mm_tokens_per_image": 256,
            "vision_config": {"hidden_size": 8, "model_type": "siglip_vision_model"},
            "text_config": {"model_type": "gemma3_text", **{k: GEMMA[k] for k in (
                "hidden_size", "intermediate_size", "num_hidden_layers", "query_pre_attn_scalar", "sliding_window")},
                "sliding_window_pattern": PATTERN, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0,
                "rope_scaling": {"rope_type": "linear", "factor": 8.0}}})
        released = {"language_model.model." + name: value for name, value in gemma.items()}
        released["vision_tower.vision_model.embeddings.patch_embedding.bias"] = torch.zeros(8)
        released["multi_modal_projector.mm_input_projection_weight"] = torch.zeros(8, CAPTION)
        save_file(released, OFFICIAL / "text_encoder" / "model.safetensors")
        save_file({"spiece_model": torch.zeros(4, dtype=torch.uint8)}, OFFICIAL / "text_encoder" / "gemma3-4b-it.safetensors")
        self.gemma_tokenizer.save(str(OFFICIAL / "text_encoder" / "tokenizer.json"))
        write(OFFICIAL / "clip_model" / "config.json", {
            "architectures": ["JinaCLIPModel"], "model_type": "jina_clip", "projection_dim": POOLED,
            "vision_config": {"embed_dim": POOLED},
            "text_config": {"model_type": "jina_clip_text", "embed_dim": POOLED, "pooler_type": "mean_pooler",
                            "proj_type": None, "default_lora_task": "retrieval.query",
                            "hf_model_name_or_path": "jinaai/jina-embeddings-v3",
                            "hf_model_config_kwargs": {"lora_adaptations": ["text-matching", "retrieval.query"],
                                                       "lora_rank": RANK, "lora_alpha": ALPHA,
                                                       "num_attention_heads": JINA["heads"]}}})
        jina = {"text_model.transformer.roberta." + name: value for name, value in self.jina_weights.items()}
        jina["vision_model.blocks.0.norm1.weight"] = torch.ones(8)
        jina["logit_scale"] = torch.tensor(2.0)
        save_file(jina, OFFICIAL / "clip_model" / "model.safetensors")
        self.clip_tokenizer.save(str(OFFICIAL / "clip_model" / "tokenizer.json"))

        write(CONVERTED / "model_index.json", {
            "_class_name": "NewbiePipeline", "transformer": ["diffusers", "Lumina2Transformer2DModel"],
            "text_encoder": ["transformers", "Gemma3ForConditionalGeneration"], "tokenizer": ["transformers", "GemmaTokenizer"],
            "text_encoder_2": ["transformers", "JinaCLIPModel"], "tokenizer_2": ["transformers", "XLMRobertaTokenizer"],
            "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"], "vae": ["diffusers", "AutoencoderKL"]})
        write(CONVERTED / "transformer" / "config.json", {
            "_class_name": "Lumina2Transformer2DModel", "patch_size": 2, "hidden_size": DIT["dim"], "num_layers": DIT["layers"],
            "num_refiner_layers": DIT["refiners"], "num_attention_heads": DIT["heads"], "num_kv_heads": DIT["kv_heads"],
            "multiple_of": 256, "ffn_dim_multiplier": None, "norm_eps": 1e-5, "axes_dim_rope": DIT["axes"],
            "axes_lens": [1024, 512, 512], "cap_feat_dim": CAPTION, "in_channels": DIT["channels"], "out_channels": None,
            "sample_size": 128, "scaling_factor": 1.0, "pooled_projection_dim": POOLED})
        save_file(lumina_names(half, DIT), CONVERTED / "transformer" / "diffusion_pytorch_model.safetensors")
        write(CONVERTED / "text_encoder" / "config.json", {"architectures": ["Gemma3ForConditionalGeneration"],
                                                           "model_type": "gemma3",
                                                           "text_config": json.loads(self.gemma_config.to_json_string(False))})
        save_file({"model.language_model." + name: value for name, value in gemma.items()},
                  CONVERTED / "text_encoder" / "model.safetensors")
        write(CONVERTED / "text_encoder_2" / "config.json", {
            "model_type": "jina_clip", "text_config": {"embed_dim": POOLED, "num_attention_heads": JINA["heads"],
                                                       "rotary_emb_base": JINA["rope_base"]}})
        save_file({"text_model.transformer." + name: value for name, value in self.jina_merged.items()},
                  CONVERTED / "text_encoder_2" / "model.safetensors")
        for name, tokenizer in (("tokenizer", self.gemma_tokenizer), ("tokenizer_2", self.clip_tokenizer)):
            (CONVERTED / name).mkdir()
            tokenizer.save(str(CONVERTED / name / "tokenizer.json"))
        FlowMatchEulerDiscreteScheduler(shift=6.0).save_pretrained(CONVERTED / "scheduler")


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


class Golden:
    def __init__(self, pipeline):
        self.pipeline, self.tensors = pipeline, {}
        self.cases = {"texts": [], "velocities": [], "images": []}

    def keep(self, case, name, value):
        self.tensors[f"{case}/{name}"] = value.detach().clone().contiguous()

    def text(self, name, text, tail=None):
        caption = self.pipeline.caption(text)
        self.cases["texts"].append({"name": name, "text": text, "ids": self.pipeline.gemma_ids(text),
                                    "clip_ids": self.pipeline.clip_ids(text), "tail": tail or len(caption)})
        self.keep(name, "caption", caption[-(tail or len(caption)):])
        self.keep(name, "pooled", self.pipeline.pooled(text))

    def velocity(self, name, tokens, length, t, seed, inner=False):
        latents = draw([DIT["channels"], 2 * tokens[0], 2 * tokens[1]], seed)
        watch = (lambda key, value: self.keep(name, key, value)) if inner else (lambda key, value: None)
        self.keep(name, "velocity", self.pipeline.dit(latents, t, draw([length, CAPTION], seed + 1), draw([POOLED], seed + 2),
                                                      watch))
        self.cases["velocities"].append({"name": name, "height": tokens[0], "width": tokens[1], "length": length, "t": t,
                                         "seed": seed, "inner": inner})

    def image(self, name, tensors=False, **item):
        item = {"prompt": "a red fox in the snow", "negative_prompt": "", "system_prompt": SYSTEM, "seed": 1, "width": 48,
                "height": 32, "steps": 4, "guidance": 5.0, "cfg_truncation": 1.0, "cfg_normalization": 0.0, "shift": 6.0,
                "sampler": "euler", **item}
        latents, caption = self.pipeline.latents(item)
        image = self.pipeline.vae.decode(latents[None] / 0.3611 + 0.1159, return_dict=False)[0]
        picture = VaeImageProcessor().postprocess(image, output_type="pil")[0]
        self.cases["images"].append({"name": name, **item, "tensors": tensors})
        self.keep(name, "latents", latents)
        self.keep(name, "picture", torch.from_numpy(numpy.array(picture)))
        if tensors:
            self.keep(name, "image", image[0])
            self.keep(name, "caption", caption)


@torch.no_grad()
def main():
    pipeline = Pipeline()
    golden = Golden(pipeline)
    golden.text("empty", "")
    golden.text("xml", XML[0])
    golden.text("chinese", "一只红色的狐狸站在雪地里 🦊, 日出\n\n\n<b>bold</b>")
    golden.text("special", "a<bos>b<eos> <pad> <s>c</s> <mask>")
    golden.text("long", " ".join(f"{i} foxes," for i in range(900)), tail=2)
    golden.velocity("one_token", (1, 1), 1, 0.0, seed=100)
    golden.velocity("odd_grid", (5, 7), 11, 0.35, seed=110, inner=True)
    golden.velocity("late", (3, 8), 40, 0.97, seed=120)
    golden.image("guided", tensors=True)
    golden.image("plain", guidance=1.0, steps=3, seed=2)
    golden.image("negative", negative_prompt="bad quality, blurry", steps=3, width=32, height=64)
    golden.image("bare", system_prompt="", prompt=XML[1], steps=3, guidance=2.5)
    golden.image("truncated", guidance=4.0, steps=6, cfg_truncation=0.25, shift=3.0)
    golden.image("normalised", guidance=6.0, steps=4, cfg_normalization=1.0, negative_prompt="text")
    golden.image("midpoint", sampler="midpoint", steps=3, seed=7, tensors=True)
    golden.image("midpoint_truncated", sampler="midpoint", steps=3, cfg_truncation=0.2, guidance=3.0)
    golden.image("many_steps", steps=28, width=16, height=16, seed=2**63 + 5)
    pipeline.save()
    save_file(golden.tensors, HERE / "newbie_image.safetensors")
    write(HERE / "newbie_image.json", golden.cases)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
