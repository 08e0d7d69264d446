#pragma once
// Qwen2.5-VL: pictures and text to text. A vision tower makes features of each picture, which take the places of its
// placeholders in the prompt; a decoder takes each prompt as a whole (the first pass, a half an item) and then a token
// of all items of the unit a pass. float32 or bfloat16, the same code on CPU and GPU; logits are float32.
// Ref: transformers modeling_qwen2_5_vl.py, generation/utils.py.

#include <memory>

#include "worker/models/list.h"

namespace trireme::qwen2_5_vl {

/// Registers what tower and decoder want. Throws Error(bad_data) for configs or a tokenizer that don't fit.
std::unique_ptr<Model> make_qwen2_5_vl(const ModelSettings& settings, const ModelFiles& files, PartParameters& wanted);

}  // namespace trireme::qwen2_5_vl
