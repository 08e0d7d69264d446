#pragma once
// Sizes of a Z-Image transformer and the names its tensors go by: those of diffusers, or those of the original single
// file with fused q, k and v. Ref: diffusers transformer_z_image.py and single_file_utils.py.

#include <cstdint>
#include <string>
#include <vector>

#include "common/caption_lengths.h"
#include "worker/nn/patches.h"
#include "worker/weights/part_config.h"

namespace trireme::z_image {

struct TensorNames {
  std::string prefix;  // "" or "model.diffusion_model."
  bool fused = false;  // the original names

  std::string x_embedder() const { return prefix + (fused ? "x_embedder" : "all_x_embedder.2-1"); }
  std::string final_layer() const { return prefix + (fused ? "final_layer." : "all_final_layer.2-1."); }
  const char* norm_q() const { return fused ? "attention.q_norm.weight" : "attention.norm_q.weight"; }
};

using nn::kPatch;
inline constexpr std::int64_t kTokenMultiple = kCaptionMultiple;  // image tokens are padded to it, too

struct TransformerConfig {
  TensorNames names;
  std::int64_t channels = 0;  // of the latents
  std::int64_t dim = 0, heads = 0, head_dim = 0, feed_forward = 0, layers = 0, refiners = 0;
  std::int64_t caption_dim = 0, time_hidden = 0, adaln_dim = 0;
  std::vector<std::int64_t> axes_dims, axes_lens;  // of the rotary embedding: caption or frame, row, column
  double rope_theta = 256, time_scale = 1000, norm_eps = 1e-5;
  bool qk_norm = true;
};

/// Throws Error(bad_data) for what is missing or can't be computed, with file and key.
TransformerConfig transformer_config(const PartConfig& part);

/// Throws Error(bad_data) for a scheduler that is not the plain flow-match Euler one.
void check_scheduler(const PartConfig& part);

}  // namespace trireme::z_image
