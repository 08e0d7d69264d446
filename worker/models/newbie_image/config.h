#pragma once
// Sizes of NewBie-image's transformer and the names its tensors go by: those of the release, or those of diffusers'
// Lumina2Transformer2DModel. What the config lacks comes from the shapes. Ref: NewBie models/model.py NextDiT_CLIP;
// diffusers transformer_lumina2.py.

#include <cstdint>
#include <string>
#include <vector>

#include "worker/nn/dit_block.h"
#include "worker/weights/part_config.h"

namespace trireme::newbie_image {

/// Without ".weight" and ".bias"; `prefix` stands before all of them.
struct TensorNames {
  std::string prefix;
  std::string x_embedder, time_in, time_out, caption_norm, caption_linear, pooled_norm, pooled_linear, time_text;
  std::string final_linear, final_modulation;
  nn::DitBlockNames block, plain_block;  // plain: without modulation
};

struct TransformerConfig {
  TensorNames names;
  std::int64_t channels = 0;  // of the latents
  std::int64_t layers = 0, refiners = 0;
  std::int64_t caption_dim = 0, pooled_dim = 0;    // of the two text encoders
  std::int64_t time_hidden = 0, time_dim = 0;      // of the time's two layers
  std::int64_t pooled_out = 0;                     // of the pooled text beside it
  std::vector<std::int64_t> axes_dims, axes_lens;  // of the rotary embedding: caption, row, column
  double rope_theta = 10000, pooled_norm_eps = 1e-5;
  nn::DitBlockConfig block;
};

/// Throws Error(bad_data) for what is missing or can't be computed, with file and key.
TransformerConfig transformer_config(const PartConfig& part);

}  // namespace trireme::newbie_image
