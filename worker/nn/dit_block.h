#pragma once
// One block of the transformers of Z-Image, Lumina 2 and NewBie-image: attention and a gated feed-forward, each between
// two norms, scaled and gated by what the step is conditioned on (blocks that refine captions are not). Key and value
// heads may be fewer than query heads. Ref: diffusers transformer_z_image.py ZImageTransformerBlock,
// transformer_lumina2.py Lumina2TransformerBlock.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "worker/kernels/norm.h"
#include "worker/nn/layer_part.h"
#include "worker/nn/linear.h"
#include "worker/nn/rope.h"
#include "worker/weights/parameters.h"

namespace trireme::nn {

struct DitBlockConfig {
  std::int64_t dim = 0, heads = 0, kv_heads = 0, head_dim = 0, feed_forward = 0, condition_dim = 0;
  double norm_eps = 1e-5, qk_norm_eps = 1e-5;
  bool qk_norm = true;
};

/// What goes from block to block.
struct DitRows {
  at::Tensor hidden;  // [tokens, dim]
  at::Tensor norm;    // its norm as the next block begins with it; undefined: that block makes it
};

/// How many rows each picture has, one picture behind the other, when a pass takes several; else empty.
using Pictures = std::vector<std::int64_t>;

/// Behind the block's prefix, without ".weight". `qkv`: the name of q, k and v in one tensor; empty: they are apart.
struct DitBlockNames {
  std::string qkv, to_q, to_k, to_v, to_out, norm_q, norm_k;
  std::string w1, w2, w3;
  std::string attention_norm1, attention_norm2, ffn_norm1, ffn_norm2;
  std::string modulation;
};

class DitBlock {
 public:
  /// Both halves of a block that is cut want all of the modulation: one product makes it, whoever uses which rows.
  void want(Parameters& parameters, const std::string& prefix, const DitBlockConfig& config, const DitBlockNames& names,
            bool modulated, LayerPart part = LayerPart::whole);
  /// vectors [n, condition_dim] -> [n, 4, dim]: what the block scales and gates with.
  at::Tensor factors(const at::Tensor& vectors) const;
  /// The norm that the block begins with. factors [4, dim], undefined for a block without modulation.
  kernels::ScaledNorm first_norm(const at::Tensor& factors) const;
  /// rows, factors -> rows; their norm is made if `next`, the first norm of the block behind this one, has a weight.
  /// All tokens see each other; with `pictures`, which share the factors, those of their own picture.
  DitRows operator()(const DitRows& rows, const RopeTable& rope, const at::Tensor& factors,
                     const DitBlockConfig& config, LayerPart part = LayerPart::whole, const Pictures& pictures = {},
                     const kernels::ScaledNorm& next = {}) const;

 private:
  void want_attention(Parameters& parameters, const std::string& prefix, const DitBlockConfig& config,
                      const DitBlockNames& names);
  at::Tensor attend(const at::Tensor& x, const RopeTable& rope, const DitBlockConfig& config,
                    const Pictures& pictures) const;
  at::Tensor feed_forward(const at::Tensor& x) const;

  Linear qkv_, to_out_, w13_, w2_, modulation_;  // q, k and v, and w1 and w3, are one product each
  at::Tensor norm_q_, norm_k_, attention_norm1_, attention_norm2_, ffn_norm1_, ffn_norm2_;
};

}  // namespace trireme::nn
