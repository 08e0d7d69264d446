#include "worker/nn/attention.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "worker/kernels/capability.h"
#include "worker/kernels/hopper_attention.h"
#include "worker/kernels/softmax.h"

namespace trireme::nn {
namespace {

constexpr int kHopper = 90;
constexpr std::int64_t kLong = 256;         // keys from which a Hopper's kernels pay,
constexpr std::int64_t kCudnnHead = 128;    // cuDNN's up to this width, which suits it best,
constexpr std::int64_t kCudnnTile = 128;    // above all with keys in whole tiles
constexpr std::int64_t kVeryLong = 1024;    // keys from which a kernel of our own pays,
constexpr std::int64_t kInTiles = 2048;     // and where cuDNN's is at its best
constexpr std::int64_t kWideHead = 256;     // what flash takes
constexpr std::int64_t kScores = 64 << 20;  // of one stretch of queries, float32: 256 MiB

/// [sequences, tokens, heads, head_dim]
at::Tensor sequences(const at::Tensor& x) { return x.dim() == 4 ? x : x.unsqueeze(0); }
/// [sequences, heads, tokens, head_dim], as the next two want it.
at::Tensor heads_first(const at::Tensor& x) { return sequences(x).transpose(1, 2); }

at::Tensor flash(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal,
                 std::optional<double> scale) {
  return std::get<0>(at::_scaled_dot_product_flash_attention(q, k, v, /*dropout_p=*/0.0, causal,
                                                             /*return_debug_mask=*/false, scale));
}

/// Deterministic, as all forward kernels of cuDNN are; at::scaled_dot_product_attention avoids it where deterministic
/// algorithms are asked for, since its backward ones are not.
at::Tensor cudnn(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal,
                 std::optional<double> scale) {
  return std::get<0>(at::_scaled_dot_product_cudnn_attention(q, k, v, /*attn_bias=*/std::nullopt,
                                                             /*compute_log_sumexp=*/false, /*dropout_p=*/0.0, causal,
                                                             /*return_debug_mask=*/false, scale));
}

/// One head: scores and their softmax in float32. q, k, v [tokens, head_dim].
at::Tensor products(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double factor) {
  const std::int64_t stretch = std::max<std::int64_t>(128, kScores / k.size(0) / 128 * 128);
  const at::Tensor out = at::empty({q.size(0), v.size(1)}, q.options()), turned = k.t();
  for (std::int64_t first = 0; first < q.size(0); first += stretch) {
    const std::int64_t rows = std::min(stretch, q.size(0) - first);
    const at::Tensor scores = at::mm(q.narrow(0, first, rows), turned, at::kFloat);
    at::Tensor part = out.narrow(0, first, rows);
    at::mm_out(part, kernels::scaled_softmax(scores, factor, q.scalar_type()), v);
  }
  return out;
}

/// Where cuDNN's kernel is faster than kernels/hopper_attention: docs/performance.md.
bool suits_cudnn(std::int64_t keys, std::int64_t head_dim) {
  const bool whole_tiles = head_dim == kCudnnHead && keys % kCudnnTile == 0;
  return keys < (whole_tiles ? kInTiles : kVeryLong);
}

}  // namespace

AttentionKernel attention_kernel(const at::Tensor& q, const at::Tensor& k, const AttentionOptions& options) {
  const std::int64_t head_dim = q.size(-1);
  if (!q.is_cuda() || q.scalar_type() != at::kBFloat16 || options.mask.defined() || head_dim % 8 != 0) {
    return AttentionKernel::any;
  }
  if (head_dim > kWideHead) {
    const bool one_head = q.dim() == 3 && q.size(1) == 1 && k.size(1) == 1;
    return one_head && !options.causal ? AttentionKernel::products : AttentionKernel::any;
  }
  const bool hopper = kernels::capability(q.device()) / 10 == kHopper / 10;
  const bool pays = hopper && head_dim <= kCudnnHead && k.size(-3) >= kLong && !options.any_length;
  if (!pays) return AttentionKernel::flash;
  const bool ours = !options.causal && kernels::has_hopper_attention(q) && !suits_cudnn(k.size(-3), head_dim);
  return ours ? AttentionKernel::hopper : AttentionKernel::cudnn;
}

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionOptions& options) {
  const std::optional<double> scale = options.scale != 0 ? std::optional(options.scale) : std::nullopt;
  const double factor = scale.value_or(1 / std::sqrt(static_cast<double>(q.size(-1))));
  const AttentionKernel kernel = attention_kernel(q, k, options);
  if (kernel == AttentionKernel::products) return products(q.squeeze(1), k.squeeze(1), v.squeeze(1), factor);
  if (kernel == AttentionKernel::hopper) {
    return kernels::hopper_attention(sequences(q), sequences(k), sequences(v), factor)
        .view({-1, q.size(-2) * q.size(-1)});
  }
  const at::Tensor heads_q = heads_first(q), heads_k = heads_first(k), heads_v = heads_first(v);
  at::Tensor out;
  if (kernel == AttentionKernel::cudnn) {
    out = cudnn(heads_q, heads_k, heads_v, options.causal, scale);
  } else if (kernel == AttentionKernel::flash) {
    out = flash(heads_q, heads_k, heads_v, options.causal, scale);
  } else {
    const std::optional<at::Tensor> mask = options.mask.defined() ? std::optional(options.mask) : std::nullopt;
    out = at::scaled_dot_product_attention(heads_q, heads_k, heads_v, mask, /*dropout_p=*/0.0, options.causal && !mask,
                                           scale, /*enable_gqa=*/k.size(-2) != q.size(-2));
  }
  return out.transpose(1, 2).reshape({-1, q.size(-2) * v.size(-1)});  // all of them write a token's heads side by side
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
