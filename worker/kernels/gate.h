#pragma once
// Element-wise joins of a transformer block, in one pass. On a GPU a kernel of our own, on a CPU plain ATen with the
// same rounding points. Enqueues on the current stream. Throws Error(internal) for shapes or dtypes that don't fit.

#include <ATen/core/Tensor.h>

namespace trireme::kernels {

/// a, b [rows, dim], bfloat16 or float32, rows may lie apart (halves of a fused product) -> silu(a) * b, contiguous.
/// silu is rounded to the dtype before the product. Ref: diffusers transformer_z_image.py FeedForward.
at::Tensor silu_mul(const at::Tensor& a, const at::Tensor& b);

}  // namespace trireme::kernels
