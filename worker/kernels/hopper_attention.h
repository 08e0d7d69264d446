#pragma once
// Attention over long sequences on Hopper GPUs, in builds with CUTLASS: a kernel of our own after FlashAttention 3
// (Shah et al., arXiv 2407.08608), for heads of 96, which cuDNN pads to 128, and of 128. Scores and sums are float32,
// what values are weighed with bfloat16. A sequence's bits depend on that sequence and the kind of device alone.
// Enqueues on the current stream. Throws Error(internal) for what doesn't fit.

#include <ATen/core/Tensor.h>

namespace trireme::kernels {

/// The kernel is in this build, and for this device, dtype and width of heads [.., head_dim].
bool has_hopper_attention(const at::Tensor& q);

/// q [sequences, queries, heads, head_dim], k, v [sequences, keys, kv_heads, head_dim], kv_heads a divisor of heads, at
/// least one key; they may be views of a fused product -> softmax(q kᵀ * scale) v, [sequences, queries, heads,
/// head_dim]. Wants has_hopper_attention(q) and a scale above 0.
at::Tensor hopper_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale);

}  // namespace trireme::kernels
