#pragma once
// Attention of one item: scaled dot products over all heads at once. Which of ATen's kernels runs depends on shapes,
// dtype and device only, so an item's bits do not depend on what else runs.

#include <ATen/core/Tensor.h>

namespace trireme::nn {

struct AttentionOptions {
  double scale = 0;     // of the scores; 0 = 1 / sqrt(head_dim)
  bool causal = false;  // query i sees keys up to i; wants as many queries as keys
  at::Tensor mask;      // [queries, keys] bool, true = seen; instead of `causal`
};

/// q [queries, heads, head_dim], k, v [keys, kv_heads, head_dim], kv_heads a divisor of heads
/// -> [queries, heads * head_dim].
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const AttentionOptions& options = {});

}  // namespace trireme::nn
