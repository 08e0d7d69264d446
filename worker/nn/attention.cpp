#include "worker/nn/attention.h"

#include <ATen/ATen.h>

namespace trireme::nn {
namespace {

at::Tensor heads_first(const at::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); }  // [1, heads, tokens, head_dim]

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionOptions& options) {
  const std::optional<at::Tensor> mask = options.mask.defined() ? std::optional(options.mask) : std::nullopt;
  const std::optional<double> scale = options.scale != 0 ? std::optional(options.scale) : std::nullopt;
  const at::Tensor out =
      at::scaled_dot_product_attention(heads_first(q), heads_first(k), heads_first(v), mask, /*dropout_p=*/0.0,
                                       options.causal && !mask, scale, /*enable_gqa=*/k.size(1) != q.size(1));
  return out.squeeze(0).transpose(0, 1).reshape({q.size(0), -1});
}

}  // namespace trireme::nn
