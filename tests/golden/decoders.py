#!/usr/bin/env python3
"""Golden data of the decoder-only text models from transformers, float32 on the CPU. Needs requirements.txt beside this file.

    python tests/golden/decoders.py

decoder_<name>.safetensors: weights under their checkpoint names, `ids`, `hidden_<k>` = hidden_states[k] (the last one is
behind the final norm). decoder_<name>.json: config.json as transformers writes it.
"""

import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "scripts"))
import make_tiny_model as tiny  # noqa: E402

SIZES = dict(vocab_size=48, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=256, rms_norm_eps=1e-6, tie_word_embeddings=True, pad_token_id=0,
             bos_token_id=1, eos_token_id=2)
DEFAULT_ROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}
MODELS = {
    "qwen2": (transformers.Qwen2Config, transformers.Qwen2Model, DEFAULT_ROPE),
    "qwen3": (transformers.Qwen3Config, transformers.Qwen3Model, {"head_dim": 16, **DEFAULT_ROPE}),
    "llama": (transformers.LlamaConfig, transformers.LlamaModel, {"attention_bias": False, **DEFAULT_ROPE}),
    "gemma3": (transformers.Gemma3TextConfig, transformers.Gemma3TextModel, {
        "head_dim": 16, "query_pre_attn_scalar": 24, "sliding_window": 4,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
                            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0}}}),
}


@torch.no_grad()
def main():
    ids = torch.tensor([5, 17, 3, 40, 40, 9, 21, 33, 8, 2, 47])
    for index, (name, (config_class, model_class, extra)) in enumerate(MODELS.items()):
        config = config_class(**SIZES, **extra)
        model = tiny.randomise(model_class(config), 60 + index).eval()
        if name == "gemma3":  # its norms multiply by 1 + weight
            for key, parameter in model.named_parameters():
                if key.endswith("norm.weight") or "layernorm" in key:
                    parameter.data -= 1
        tiny.round_parameters(model, torch.bfloat16)
        hidden = model(input_ids=ids[None], output_hidden_states=True).hidden_states
        tensors = {key: value.to(torch.bfloat16).contiguous() for key, value in model.state_dict().items()}
        tensors.update({f"hidden_{k}": value[0].contiguous() for k, value in enumerate(hidden)}, ids=ids)
        save_file(tensors, HERE / f"decoder_{name}.safetensors")
        config.to_json_file(HERE / f"decoder_{name}.json", use_diff=False)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
