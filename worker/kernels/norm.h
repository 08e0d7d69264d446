#pragma once
// Norms of a transformer block in one pass over memory, with what stands beside them. On a GPU a kernel of our own,
// on a CPU plain ATen with the same rounding points: statistics and products in float32, rounded to the tensors' dtype
// where the reference rounds. All tensors of a call share dtype (bfloat16 or float32) and device; rows are contiguous.
// Enqueues on the current stream. Throws Error(internal) for shapes or dtypes that don't fit: a fault of the caller.

#include <ATen/core/Tensor.h>

namespace trireme::kernels {

/// x [.., dim], weight [dim] -> norm * weight, times `scale` [dim] (undefined: nothing).
/// Ref: diffusers normalization.py RMSNorm; transformer_z_image.py `attention_norm1(x) * scale_msa`.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, const at::Tensor& scale = {});

/// x [.., dim], weight [dim] -> norm * (1 + weight), all in float32, rounded once. Ref: transformers Gemma3RMSNorm.
at::Tensor rms_norm_one_plus(const at::Tensor& x, const at::Tensor& weight, double eps);

/// x [.., dim], scale [dim] -> the norm of x less its mean, times `scale`: a layer norm without parameters of its own.
/// Ref: diffusers transformer_z_image.py FinalLayer `norm_final(x) * scale`.
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& scale, double eps);

/// A weight [dim], and what its norm is then multiplied with, [dim] or undefined.
struct ScaledNorm {
  at::Tensor weight, factor;
};

/// residual, x [.., dim] -> residual + norm of x * weight * factor.
/// Ref: diffusers transformer_z_image.py `x + gate_msa * attention_norm2(attn_out)`.
at::Tensor add_norm(const at::Tensor& residual, const at::Tensor& x, const ScaledNorm& of_x, double eps);

struct SumAndNorm {
  at::Tensor sum, norm;
};

/// The sum as add_norm makes it (without a weight in `of_x`: residual + x), and its norm * weight * factor.
SumAndNorm add_then_norm(const at::Tensor& residual, const at::Tensor& x, const ScaledNorm& of_x,
                         const ScaledNorm& of_sum, double eps);
/// The same with norms as rms_norm_one_plus makes them and no factors.
SumAndNorm add_then_norm_one_plus(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight_of_x,
                                  const at::Tensor& weight_of_sum, double eps);

}  // namespace trireme::kernels
