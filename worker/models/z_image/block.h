#pragma once
// One block of the transformer: attention and a gated feed-forward, each between two norms, scaled and gated by the
// time of the step (the context refiner's blocks are not). Ref: diffusers transformer_z_image.py
// ZImageTransformerBlock.

#include <ATen/core/Tensor.h>

#include <string>

#include "worker/models/z_image/config.h"
#include "worker/nn/linear.h"
#include "worker/nn/rope.h"
#include "worker/weights/parameters.h"

namespace trireme::z_image {

class Block {
 public:
  void want(Parameters& parameters, const std::string& prefix, const TransformerConfig& config, bool modulated);
  /// x [tokens, dim]; adaln [1, adaln_dim], undefined for a block without modulation -> [tokens, dim]. All tokens see
  /// each other.
  at::Tensor operator()(const at::Tensor& x, const nn::RopeTable& rope, const at::Tensor& adaln,
                        const TransformerConfig& config) const;

 private:
  at::Tensor attend(const at::Tensor& x, const nn::RopeTable& rope, const TransformerConfig& config) const;

  nn::Linear to_q_, to_k_, to_v_, to_out_, w1_, w2_, w3_, adaln_modulation_;
  at::Tensor norm_q_, norm_k_, attention_norm1_, attention_norm2_, ffn_norm1_, ffn_norm2_;
};

}  // namespace trireme::z_image
