#pragma once
// The two kinds of block AutoencoderKL is made of. Ref: diffusers models/resnet.py ResnetBlock2D,
// attention_processor.py Attention with a group norm and a residual.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "worker/kernels/pixels.h"
#include "worker/nn/linear.h"
#include "worker/weights/parameters.h"
#include "worker/weights/part_config.h"

namespace trireme {

inline constexpr double kAutoencoderNormEps = 1e-6;

/// The convolution; on a GPU, where its bias would be a pass of its own, the bias is left to the pass that follows.
kernels::Biased without_bias(const nn::Conv2d& conv, const at::Tensor& x);

/// x [1, in, H, W] -> [1, out, H, W]
class ResnetBlock {
 public:
  void want(Parameters& parameters, const std::string& prefix, std::int64_t out, std::int64_t in);
  at::Tensor operator()(const at::Tensor& x, int groups) const;

 private:
  at::Tensor norm1_weight_, norm1_bias_, norm2_weight_, norm2_bias_;
  nn::Conv2d conv1_, conv2_, shortcut_;
};

/// One head over all positions. x [1, C, H, W] -> the same.
class SpatialAttention {
 public:
  /// Names of old files (query, key, value, proj_attn; perhaps shaped as 1x1 convolutions) where `part` has them.
  void want(Parameters& parameters, const std::string& prefix, std::int64_t channels, const PartConfig& part);
  at::Tensor operator()(const at::Tensor& x, int groups) const;

 private:
  at::Tensor norm_weight_, norm_bias_;
  nn::Linear to_q_, to_k_, to_v_, to_out_;
};

}  // namespace trireme
