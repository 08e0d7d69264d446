#pragma once
// What tells one decoder-only text model from another: Qwen2, Qwen3, Llama and Gemma3 are the same code with other
// values here. Ref: transformers modeling_{qwen2,qwen3,llama,gemma3}.py.

#include <cstdint>
#include <string>
#include <vector>

#include "worker/nn/rope.h"
#include "worker/weights/part_config.h"

namespace trireme::nn {

enum class Activation { silu, gelu_tanh };

struct DecoderConfig {
  std::int64_t layers = 0, hidden = 0, intermediate = 0, heads = 0, kv_heads = 0, head_dim = 0, vocab = 0;
  double norm_eps = 1e-6;
  double attention_scale = 0;  // of the scores
  double embed_scale = 1;      // of the embeddings, rounded to the compute dtype
  Activation activation = Activation::silu;
  bool qkv_bias = false, out_bias = false, mlp_bias = false;
  bool qk_norm = false;        // RMS norm over each head of q and k
  bool one_plus_norm = false;  // norms multiply by 1 + weight, in float32
  bool post_norms = false;     // norms behind attention and MLP as well
  RopeFrequencies rope;        // of layers that see everything before them
  RopeFrequencies local_rope;  // of layers with a window
  std::int64_t window = 0;     // tokens that a layer with a window sees, itself included
  std::vector<bool> windowed;  // by layer
};

/// From a config.json (`model_type` picks the family) and, where it is silent, the shapes. `prefix` is that of the
/// tensor names, "model." or "". Throws Error(bad_data) for an unknown model_type, activation or rope type, naming it.
DecoderConfig decoder_config(const PartConfig& part, const std::string& prefix);

}  // namespace trireme::nn
