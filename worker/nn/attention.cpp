#include "worker/nn/attention.h"

#include <ATen/ATen.h>

namespace trireme::nn {
namespace {

at::Tensor heads_first(const at::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); }  // [1, heads, tokens, head_dim]

bool has_flash(const at::Tensor& q) {
  return q.is_cuda() && q.scalar_type() == at::kBFloat16 && q.size(-1) % 8 == 0 && q.size(-1) <= 256;
}

/// [batch, heads, tokens, head_dim]
at::Tensor flash(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal,
                 std::optional<double> scale) {
  return std::get<0>(at::_scaled_dot_product_flash_attention(q, k, v, /*dropout_p=*/0.0, causal,
                                                             /*return_debug_mask=*/false, scale));
}

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionOptions& options) {
  const std::optional<double> scale = options.scale != 0 ? std::optional(options.scale) : std::nullopt;
  const at::Tensor heads_q = heads_first(q), heads_k = heads_first(k), heads_v = heads_first(v);
  at::Tensor out;
  if (options.any_length && !options.mask.defined() && has_flash(q)) {
    out = flash(heads_q, heads_k, heads_v, options.causal, scale);
  } else {
    const std::optional<at::Tensor> mask = options.mask.defined() ? std::optional(options.mask) : std::nullopt;
    out = at::scaled_dot_product_attention(heads_q, heads_k, heads_v, mask, /*dropout_p=*/0.0, options.causal && !mask,
                                           scale, /*enable_gqa=*/k.size(1) != q.size(1));
  }
  return out.squeeze(0).transpose(0, 1).reshape({q.size(0), -1});
}

at::Tensor segment_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const std::vector<Segments>& segments) {
  std::vector<at::Tensor> outs;
  std::int64_t first = 0;
  for (const Segments& kind : segments) {
    const std::int64_t rows = kind.count * kind.length;
    const auto batch = [&](const at::Tensor& x) {  // [count, heads, length, head_dim]
      return x.narrow(0, first, rows).view({kind.count, kind.length, x.size(1), x.size(2)}).transpose(1, 2);
    };
    outs.push_back(at::scaled_dot_product_attention(batch(q), batch(k), batch(v)).transpose(1, 2).reshape({rows, -1}));
    first += rows;
  }
  return outs.size() == 1 ? outs[0] : at::cat(outs);
}

}  // namespace trireme::nn
