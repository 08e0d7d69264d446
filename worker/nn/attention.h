#pragma once
// Scaled dot products over all heads at once. Which of the kernels that LibTorch has runs depends on shapes, dtype and
// the kind of device only, never on a timing.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace trireme::nn {

struct AttentionOptions {
  double scale = 0;     // of the scores; 0 = 1 / sqrt(head_dim)
  bool causal = false;  // query i sees keys up to i; wants as many queries as keys
  at::Tensor mask;      // [queries, keys] bool, true = seen; instead of `causal`
  // Lengths differ from call to call: never cuDNN's kernel, which is planned for every length anew.
  bool any_length = false;
};

enum class AttentionKernel {
  hopper,    // kernels/hopper_attention, where it is, from 1024 keys on, heads of 128 whose keys come in whole tiles of
             // 128 from 2048 on: 0.44 ms for cuDNN's 0.50 (30 heads x 4160 x 128), 0.33 for 0.40 (24 x 4352 x 96)
  cudnn,     // Hopper, bfloat16, from 256 keys on: 0.47 ms for flash's 0.83 (30 heads x 4224 x 128)
  flash,     // bfloat16, heads up to 256 wide
  products,  // one wide head, such as a VAE's: two matrix products with a softmax between, a stretch of queries at a
             // time
  any        // ATen's own choice
};
/// The rule. q, k as for `attention`.
AttentionKernel attention_kernel(const at::Tensor& q, const at::Tensor& k, const AttentionOptions& options = {});

/// q [queries, heads, head_dim], k, v [keys, kv_heads, head_dim], kv_heads a divisor of heads; they may be views of a
/// fused product -> [queries, heads * head_dim]. With one dimension more in front, sequences of one length, each of
/// which sees only itself -> [sequences * queries, heads * head_dim].
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
