#!/usr/bin/env python3
"""Golden data of Qwen2.5-VL from transformers, float32 on the CPU. Needs requirements.txt beside this file.

    python tests/golden/qwen2_5_vl.py

Two checkpoints, made here: qwen2_5_vl_released/ (the released names and flat config, two shards, untied head, patches of 14,
windows of 4x4 cells) and qwen2_5_vl_resaved/ (names and config as transformers 5 saves them, tied head, patches of 4, windows
of 3x3 cells, one key head). For each: <name>.json (what was asked, token ids) and <name>.safetensors (features, logits).
Pictures are not stored: each is torch.randint of a CPU generator with the seed given in the case. Pixel values are given
by the SHA-256 of their float32 bytes.
"""

import hashlib
import json
import pathlib
import shutil
import sys

import torch
from safetensors.torch import save_file
from transformers import (AutoTokenizer, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor,
                          Qwen2VLImageProcessor, Qwen2VLVideoProcessor)
from transformers.generation import logits_process

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "scripts"))
import make_tiny_model as tiny  # noqa: E402

SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
                  "<|image_pad|>", "<|video_pad|>"]
# What the released chat_template.json comes to.
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n"
    "You are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")

VARIANTS = {
    "qwen2_5_vl_released": {
        "seed": 70, "vocab": 320, "released": True, "tied": False,
        "text": dict(hidden_size=64, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                     max_position_embeddings=512, rms_norm_eps=1e-6,
                     rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 2, 4]}),
        "vision": dict(depth=3, hidden_size=32, intermediate_size=30, num_heads=2, patch_size=14, window_size=112,
                       fullatt_block_indexes=[1], out_hidden_size=64),
        "processor": dict(min_pixels=3136, max_pixels=12845056),
    },
    "qwen2_5_vl_resaved": {
        "seed": 80, "vocab": 300, "released": False, "tied": True,
        "text": dict(hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=1,
                     max_position_embeddings=256, rms_norm_eps=1e-6,
                     rope_parameters={"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}),
        "vision": dict(depth=4, hidden_size=32, intermediate_size=44, num_heads=2, patch_size=4, window_size=24,
                       fullatt_block_indexes=[1, 3], out_hidden_size=64),
        "processor": dict(size={"shortest_edge": 256, "longest_edge": 20000}, patch_size=4),
    },
}
EOS = ["<|im_end|>", "<|endoftext|>"]
NEVER = [100000]  # an id that no model has: the answer runs to its full length


def picture(height, width, seed):
    generator = torch.Generator("cpu").manual_seed(seed)
    return torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)


def save_tokenizer(folder, vocab):
    tokenizer = tiny.make_tokenizer(vocab, SPECIAL_TOKENS)
    tiny.vocabulary.save(tokenizer, folder)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    tiny.edit_json(folder / "tokenizer_config.json", lambda c: c.update(chat_template=CHAT_TEMPLATE))
    return tokenizer


def save_released(folder, model):
    """The released names, in two shards; the flat config of transformers 4."""
    state = {name.replace("model.visual.", "visual.").replace("model.language_model.", "model."): value.to(torch.bfloat16)
             for name, value in model.state_dict().items()}
    shards = [{k: v for k, v in state.items() if k.startswith("visual.") == first} for first in (True, False)]
    files = [f"model-{i + 1:05}-of-00002.safetensors" for i in range(2)]
    for shard, file in zip(shards, files):
        save_file({k: v.contiguous() for k, v in shard.items()}, folder / file, metadata={"format": "pt"})
    index = {name: file for shard, file in zip(shards, files) for name in shard}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}, indent=1) + "\n")
    config = model.config.to_dict()
    text = config.pop("text_config")
    for key in ("dtype", "layer_types", "model_type", "sliding_window"):
        text.pop(key, None)
    rope = text.pop("rope_parameters")
    flat = {**text, **config, "rope_theta": rope["rope_theta"], "torch_dtype": "bfloat16", "use_sliding_window": False,
            "sliding_window": 32768, "rope_scaling": {"type": "mrope", "mrope_section": rope["mrope_section"]}}
    vision = flat["vision_config"]
    for key in ("dtype", "rope_parameters"):
        vision.pop(key, None)
    flat["vision_config"] = {**vision, "model_type": "qwen2_5_vl", "in_chans": vision.pop("in_channels"),
                             "spatial_patch_size": vision["patch_size"]}
    (folder / "config.json").write_text(json.dumps(flat, indent=1) + "\n")


def save_resaved(folder, model):
    state = {name: value.to(torch.bfloat16).contiguous() for name, value in model.state_dict().items() if name != "lm_head.weight"}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    model.config.save_pretrained(folder)


def check_loads(folder, model):
    """transformers reads the files as the same model."""
    loaded = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    expected = dict(model.named_parameters())
    for name, value in loaded.named_parameters():
        assert torch.equal(value, expected.pop(name)), name
    assert not expected, sorted(expected)


def make(folder, spec):
    """Writes a checkpoint; returns the processor and the model, built from the same modules and not from the files."""
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = save_tokenizer(folder, spec["vocab"])
    ids = {name: tokenizer.token_to_id(name) for name in SPECIAL_TOKENS}
    rows = (tokenizer.get_vocab_size() + 7) // 8 * 8 + 8
    config = Qwen2_5_VLConfig(
        text_config={"vocab_size": rows, "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"], **spec["text"]},
        vision_config=spec["vision"], image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=spec["tied"])
    model = Qwen2_5_VLForConditionalGeneration(config)
    tiny.randomise(model, spec["seed"])
    tiny.shrink(model, {"embed_tokens": 0.2} if spec["tied"] else {})  # else every token predicts itself
    tiny.round_parameters(model, torch.bfloat16).eval()
    (save_released if spec["released"] else save_resaved)(folder, model)
    generation = {"bos_token_id": ids["<|endoftext|>"], "pad_token_id": ids["<|endoftext|>"], "do_sample": True,
                  "eos_token_id": [ids[name] for name in EOS], "repetition_penalty": 1.05, "temperature": 0.000001}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=1) + "\n")
    image_processor = Qwen2VLImageProcessor(**spec["processor"])
    if spec["released"]:
        (folder / "preprocessor_config.json").write_text(json.dumps({
            **spec["processor"], "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
            "image_mean": image_processor.image_mean, "image_std": image_processor.image_std,
            "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor"}, indent=1) + "\n")
    else:
        image_processor.save_pretrained(folder)
    processor = Qwen2_5_VLProcessor(image_processor, AutoTokenizer.from_pretrained(folder), Qwen2VLVideoProcessor(),
                                    chat_template=CHAT_TEMPLATE)
    check_loads(folder, model)
    return processor, model, [ids[name] for name in EOS]


def text(words):
    return {"type": "text", "text": words}


def image(height, width, seed):
    return {"type": "image", "height": height, "width": width, "seed": seed}


class Golden:
    def __init__(self, name, spec):
        self.name = name
        self.processor, self.model, self.eos = make(HERE / name, spec)
        self.cases, self.tensors = {"pixels": [], "answers": [], "chats": []}, {}

    def pixels(self, height, width, seed, **options):
        processor = Qwen2VLImageProcessor(**options) if options else self.processor.image_processor
        out = processor(picture(height, width, seed), return_tensors="pt")
        values = out["pixel_values"].contiguous()
        self.cases["pixels"].append({"height": height, "width": width, "seed": seed, "options": options,
                                     "grid": out["image_grid_thw"][0].tolist(),
                                     "sha256": hashlib.sha256(values.numpy().tobytes()).hexdigest()})

    def ask(self, name, messages, new_tokens=64, eos=NEVER, **generate):
        """`eos`: ids that end the answer."""
        pictures = [picture(c["height"], c["width"], c["seed"]) for m in messages if isinstance(m["content"], list)
                    for c in m["content"] if c["type"] == "image"]
        prompt = self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        inputs = self.processor(text=[prompt], images=pictures or None, return_tensors="pt")
        case = {"name": name, "messages": messages, "prompt": prompt, "input_ids": inputs["input_ids"][0].tolist(),
                "image_grid_thw": inputs["image_grid_thw"].tolist() if pictures else [], "max_new_tokens": new_tokens,
                "eos": eos, "repetition_penalty": generate.get("repetition_penalty", 1.0)}
        model = self.model
        model.model.rope_deltas = None
        if pictures:
            features = model.model.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"]).pooler_output
            self.tensors[f"{name}/features"] = torch.cat(list(features)).contiguous()
            case["positions"] = model.model.get_rope_index(inputs["input_ids"], inputs["mm_token_type_ids"],
                                                           inputs["image_grid_thw"])[0][:, 0].tolist()
        model.generation_config.update(eos_token_id=case["eos"], pad_token_id=self.eos[1])
        out = model.generate(**inputs, max_new_tokens=new_tokens, do_sample=False, return_dict_in_generate=True,
                             output_logits=True, **generate)
        case["token_ids"] = out.sequences[0, len(case["input_ids"]):].tolist()
        case["text"] = self.processor.tokenizer.decode(case["token_ids"], skip_special_tokens=True)
        self.tensors[f"{name}/first_logits"] = out.logits[0][0].clone()
        self.tensors[f"{name}/last_logits"] = out.logits[-1][0].clone()
        self.cases["answers"].append(case)
        return case

    def chat(self, messages):
        self.cases["chats"].append({"messages": messages, "prompt": self.processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True)})

    def save(self):
        save_file(self.tensors, HERE / f"{self.name}.safetensors")
        (HERE / f"{self.name}.json").write_text(json.dumps(self.cases, indent=1, ensure_ascii=False) + "\n")


def user(*content):
    return {"role": "user", "content": list(content)}


def answers(golden, small, large):
    golden.ask("text_only", [user(text("a red fox in the snow"))])
    golden.ask("text_penalty", [user(text("a red fox in the snow"))], repetition_penalty=1.3)
    golden.ask("plain_string", [{"role": "user", "content": "It's 10 robots, 一只红色的狐狸"}], new_tokens=16)
    golden.ask("one_image", [user(image(*small, 1), text("describe the picture"))])
    golden.ask("one_image_penalty", [user(image(*small, 1), text("describe the picture"))], repetition_penalty=1.05)
    golden.ask("large_image", [user(image(*large, 2), text("what is in it?"))], new_tokens=32)
    golden.ask("two_images", [user(image(*small, 3), image(*large, 4), text("which one?"))])
    golden.ask("interleaved", [user(text("first "), image(*large, 5), text(" then "), image(*small, 6), text(" which?"))])
    golden.ask("several_turns", [
        {"role": "system", "content": "You see a robot."}, user(image(*small, 7), text("what?")),
        {"role": "assistant", "content": "a fox"}, user(text("and this?"), image(*small, 8))], repetition_penalty=1.1,
        eos=golden.eos)
    penalised = golden.cases["answers"][1]["token_ids"]
    golden.ask("ends_early", [user(text("a red fox in the snow"))], repetition_penalty=1.3, eos=[penalised[5], 1])
    golden.chat([{"role": "user", "content": "hello"}])
    golden.chat([{"role": "system", "content": [text("be "), text("brief")]}, user(text("hi"), image(9, 9, 0), text("!"))])
    golden.chat([user(text("a")), {"role": "assistant", "content": ""}, user(text("")), {"role": "system", "content": "late"}])
    golden.chat([user(text("<|im_end|>\n<|im_start|>user\nnested\n"))])


def sampling():
    """Probabilities of the next token after all processors, in the order of generate()."""
    tensors, cases = {}, []

    def case(name, seed, rows, ids, penalty, temperature, top_k, top_p):
        scores = 3 * torch.randn(1, rows, generator=torch.Generator("cpu").manual_seed(seed))
        if name == "ties":
            scores = scores.round()
        steps = [logits_process.RepetitionPenaltyLogitsProcessor(penalty=penalty)] if penalty != 1 else []
        steps.append(logits_process.TemperatureLogitsWarper(temperature))
        if top_k:
            steps.append(logits_process.TopKLogitsWarper(top_k))
        if top_p < 1:
            steps.append(logits_process.TopPLogitsWarper(top_p))
        processed = scores.clone()
        for step in steps:
            processed = step(torch.tensor([ids]), processed)
        tensors[name] = processed.softmax(-1)[0]
        cases.append({"name": name, "seed": seed, "rows": rows, "ids": ids, "rounded": name == "ties",
                      "repetition_penalty": penalty, "temperature": temperature, "top_k": top_k, "top_p": top_p})

    case("plain", 1, 300, [5, 7], 1.0, 1.0, 0, 1.0)
    case("penalty", 2, 300, list(range(40)) + [5, 5], 1.3, 0.8, 0, 1.0)
    case("top_k", 3, 300, [1], 1.0, 1.0, 50, 1.0)
    case("top_k_one", 4, 300, [1], 1.0, 0.7, 1, 1.0)
    case("top_k_all", 5, 40, [1], 1.0, 1.0, 1000, 1.0)
    case("top_p", 6, 300, [1], 1.0, 1.0, 0, 0.8)
    case("top_p_none", 7, 300, [1], 1.0, 1.5, 0, 0.0)
    case("both", 8, 300, [1, 2, 3], 1.05, 0.9, 20, 0.6)
    case("ties", 9, 300, [1], 1.0, 1.0, 7, 1.0)
    save_file(tensors, HERE / "sampling.safetensors")
    (HERE / "sampling.json").write_text(json.dumps(cases, indent=1) + "\n")


@torch.no_grad()
def main():
    golden = Golden("qwen2_5_vl_released", VARIANTS["qwen2_5_vl_released"])
    for seed, (height, width) in enumerate([(28, 28), (56, 56), (14, 14), (1, 1), (3, 200), (11, 1500), (42, 70), (70, 70), (98, 126),
                                            (100, 333), (333, 100), (57, 83), (480, 640), (641, 479), (229, 1023), (112, 112)]):
        golden.pixels(height, width, seed)
    for limits in ({"min_pixels": 3136, "max_pixels": 50000}, {"size": {"shortest_edge": 100000, "longest_edge": 200000}},
                   {"min_pixels": 3136, "max_pixels": 3200}):
        for seed, (height, width) in enumerate([(500, 400), (31, 977), (64, 64), (200, 201)]):
            golden.pixels(height, width, 100 + seed, **limits)
    answers(golden, (60, 85), (300, 330))
    golden.save()
    golden = Golden("qwen2_5_vl_resaved", VARIANTS["qwen2_5_vl_resaved"])
    for seed, (height, width) in enumerate([(24, 48), (25, 50), (10, 10), (300, 200)]):
        golden.pixels(height, width, 200 + seed)
    answers(golden, (24, 48), (61, 77))
    golden.save()
    sampling()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
