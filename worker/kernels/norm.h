#pragma once
// RMS norms of a transformer block in one pass over memory, with what stands beside them. On a GPU a kernel of our own,
// on a CPU plain ATen with the same rounding points: statistics and products in float32, rounded to the tensors' dtype
// where the reference rounds. All tensors of a call share dtype (bfloat16 or float32) and device; rows are contiguous.
// Enqueues on the current stream. Throws Error(internal) for shapes or dtypes that don't fit: a fault of the caller.

#include <ATen/core/Tensor.h>

namespace trireme::kernels {

/// x [.., dim], weight [dim] -> [.., dim]. With `modulation` [dim]: the norm times (1 + modulation).
/// Ref: diffusers normalization.py RMSNorm; transformer_z_image.py `attention_norm1(x) * scale_msa`.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, const at::Tensor& modulation = {});

/// x [.., dim], weight [dim] -> norm * (1 + weight), all in float32, rounded once. Ref: transformers Gemma3RMSNorm.
at::Tensor rms_norm_one_plus(const at::Tensor& x, const at::Tensor& weight, double eps);

/// residual, x [.., dim] -> residual + tanh(gate) * rms_norm(x, weight, eps); without `gate` [dim]: residual + the
/// norm. Ref: diffusers transformer_z_image.py `x + gate_msa * attention_norm2(attn_out)`.
at::Tensor add_gated_norm(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight, double eps,
                          const at::Tensor& gate = {});

}  // namespace trireme::kernels
