#pragma once
// GroupNorm, optionally followed by SiLU: ATen's takes half of a VAE decode on a GPU. On a GPU kernels of our own
// (fixed summation order), on a CPU plain ATen. Enqueues on the current stream. Throws Error(internal) for shapes that
// don't fit.

#include <ATen/core/Tensor.h>

namespace trireme::kernels {

/// x [N, C, H, W] bfloat16 or float32, NCHW or channels-last; weight, bias [C] -> same shape, dtype and memory format.
/// Statistics in float32; rounded to the dtype before the SiLU. Ref: torch nn.GroupNorm, then F.silu.
/// `x_bias` [C]: added to x first and rounded, for a convolution whose bias was left to this pass.
at::Tensor group_norm(const at::Tensor& x, int groups, const at::Tensor& weight, const at::Tensor& bias, double eps,
                      bool silu, const at::Tensor& x_bias = {});

}  // namespace trireme::kernels
