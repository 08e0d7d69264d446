#pragma once
// Attention of one item: scaled dot products over all heads at once. Which of ATen's kernels runs depends on shapes,
// dtype and device only, so an item's bits do not depend on what else runs.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace trireme::nn {

struct AttentionOptions {
  double scale = 0;     // of the scores; 0 = 1 / sqrt(head_dim)
  bool causal = false;  // query i sees keys up to i; wants as many queries as keys
  at::Tensor mask;      // [queries, keys] bool, true = seen; instead of `causal`
  // Lengths differ from call to call: on a GPU the flash kernel, since cuDNN's, which is faster for long sequences, is
  // planned for every length anew.
  bool any_length = false;
};

/// q [queries, heads, head_dim], k, v [keys, kv_heads, head_dim], kv_heads a divisor of heads
/// -> [queries, heads * head_dim].
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const AttentionOptions& options = {});

/// Equal stretches of rows, one behind the other, each of which sees only itself.
struct Segments {
  std::int64_t count = 0, length = 0;
};

/// q, k, v [rows, heads, head_dim], cut into segments from the first row on -> [rows, heads * head_dim]. One call of
/// ATen's kernel a kind of segment.
at::Tensor segment_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const std::vector<Segments>& segments);

}  // namespace trireme::nn
