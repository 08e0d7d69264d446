#include "worker/kernels/decode.h"

#include <ATen/ATen.h>

#include <vector>

#include "worker/kernels/call.h"
#include "worker/kernels/gate.h"

namespace trireme::kernels {
namespace {

void check_cache(const LayerCache& cache, const DecodeRows& rows, std::int64_t sequences, at::ScalarType dtype) {
  for (const at::Tensor& t : {cache.keys, cache.values}) {
    require(t.dim() == 4 && t.size(0) == sequences && t.scalar_type() == dtype && t.is_contiguous(),
            "a cache must be [sequences, kv_heads, capacity, head_dim], contiguous, in the dtype of q");
  }
  require(cache.keys.sizes() == cache.values.sizes(), "keys and values must have one shape");
  for (const at::Tensor& t : {rows.position, rows.length}) {
    require(t.dim() == 1 && t.size(0) == sequences && t.scalar_type() == at::kInt && t.is_contiguous(),
            "positions and lengths must be [sequences] int32");
  }
}

const int* numbers(const at::Tensor& t) { return t.data_ptr<int>(); }

void check_product(const at::Tensor& x, const at::Tensor& weight) {
  require(x.dim() == 2 && weight.dim() == 2 && x.size(1) == weight.size(1) && is_element(x),
          "a product of few rows wants x [rows, in] and weight [out, in]");
}

bool are_few_rows(const at::Tensor& x, const at::Tensor& weight) {
  return x.is_cuda() && x.size(0) <= kMostFewRows && x.size(1) % 8 == 0 && x.stride(1) == 1 && x.stride(0) % 8 == 0 &&
         weight.is_contiguous() && weight.scalar_type() == x.scalar_type() && aligned({x, weight});
}

/// One pass through the whole weight.
at::Tensor stream_weight(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         const at::Tensor& residual, Epilogue epilogue) {
  const std::int64_t out = epilogue == Epilogue::silu_mul ? weight.size(0) / 2 : weight.size(0);
  const at::Tensor y = at::empty({x.size(0), out}, x.options());
  const FewRowsLaunch args{
      x.data_ptr(), weight.data_ptr(),           pointer(bias),         pointer(residual),           y.data_ptr(),
      x.stride(0),  static_cast<int>(x.size(0)), static_cast<int>(out), static_cast<int>(x.size(1)), epilogue};
  enqueue(x, "a product of few rows", [&](cudaStream_t stream) { return launch_few_rows(element(x), args, stream); });
  return y;
}

}  // namespace

void rope_append_(const at::Tensor& qkv, const RopeTable& table, const DecodeRows& rows, const LayerCache& cache) {
  require(qkv.dim() == 2 && is_element(qkv) && qkv.stride(1) == 1, "rope_append wants qkv [sequences, columns]");
  check_cache(cache, rows, qkv.size(0), qkv.scalar_type());
  const std::int64_t kv_heads = cache.keys.size(1), head_dim = cache.keys.size(3);
  const std::int64_t heads = qkv.size(1) / head_dim - 2 * kv_heads;
  require(heads > 0 && (heads + 2 * kv_heads) * head_dim == qkv.size(1), "qkv and the cache disagree about heads");
  require(table.cos.size(1) * 2 == head_dim && table.sin.size(1) * 2 == head_dim, "the rope table has another width");
  if (qkv.is_cuda()) {
    require(head_dim % 16 == 0 && head_dim <= kLargestRopeHeadDim && qkv.stride(0) % 8 == 0 &&
                table.cos.is_contiguous() && table.sin.is_contiguous() &&
                aligned({qkv, table.cos, table.sin, cache.keys, cache.values}),
            "rope_append on a GPU wants heads of a multiple of 16, at most 256, and aligned tensors");
    const RopeAppendLaunch args{qkv.data_ptr(),
                                table.cos.data_ptr<float>(),
                                table.sin.data_ptr<float>(),
                                numbers(rows.position),
                                numbers(rows.length),
                                cache.keys.data_ptr(),
                                cache.values.data_ptr(),
                                qkv.size(0),
                                qkv.stride(0),
                                cache.keys.size(2),
                                static_cast<int>(heads),
                                static_cast<int>(kv_heads),
                                static_cast<int>(head_dim)};
    enqueue(qkv, "rope_append", [&](cudaStream_t stream) { return launch_rope_append(element(qkv), args, stream); });
    return;
  }
  const at::Tensor all = qkv.view({qkv.size(0), -1, head_dim});
  const at::Tensor at_rows = rows.position.to(at::kLong);
  rope_(all.narrow(1, 0, heads + kv_heads), {table.cos.index_select(0, at_rows), table.sin.index_select(0, at_rows)},
        RopePairs::halves);
  for (std::int64_t i = 0; i < qkv.size(0); ++i) {
    const std::int64_t row = numbers(rows.length)[i];
    cache.keys.select(0, i).select(1, row).copy_(all.select(0, i).narrow(0, heads, kv_heads));
    cache.values.select(0, i).select(1, row).copy_(all.select(0, i).narrow(0, heads + kv_heads, kv_heads));
  }
}

at::Tensor decode_attention(const at::Tensor& q, const LayerCache& cache, const DecodeRows& rows, double scale) {
  require(q.dim() == 3 && is_element(q) && q.stride(2) == 1 && q.stride(1) == q.size(2),
          "decode_attention wants q [sequences, heads, head_dim], heads side by side");
  check_cache(cache, rows, q.size(0), q.scalar_type());
  const std::int64_t heads = q.size(1), head_dim = q.size(2), kv_heads = cache.keys.size(1);
  require(head_dim == cache.keys.size(3) && heads % kv_heads == 0, "q and the cache disagree about heads");
  if (q.is_cuda()) {
    require(head_dim % 8 == 0 && head_dim <= kLargestDecodeHeadDim && heads / kv_heads <= kLargestDecodeGroup &&
                q.stride(0) % 8 == 0 && aligned({q, cache.keys, cache.values}),
            "decode_attention on a GPU wants heads of a multiple of 8, at most 256, and at most 8 a key head");
    const std::int64_t splits = (cache.keys.size(2) + kKeysPerSplit - 1) / kKeysPerSplit;
    const at::TensorOptions wide = q.options().dtype(at::kFloat);
    const at::Tensor partial = at::empty({q.size(0), heads, splits, head_dim}, wide);
    const at::Tensor sums = at::empty({q.size(0), heads, splits, 2}, wide);
    const at::Tensor out = at::empty({q.size(0), heads * head_dim}, q.options());
    const DecodeAttentionLaunch args{q.data_ptr(),
                                     cache.keys.data_ptr(),
                                     cache.values.data_ptr(),
                                     numbers(rows.length),
                                     partial.data_ptr<float>(),
                                     sums.data_ptr<float>(),
                                     out.data_ptr(),
                                     q.size(0),
                                     q.stride(0),
                                     cache.keys.size(2),
                                     static_cast<int>(heads),
                                     static_cast<int>(kv_heads),
                                     static_cast<int>(head_dim),
                                     static_cast<float>(scale)};
    enqueue(q, "decode_attention",
            [&](cudaStream_t stream) { return launch_decode_attention(element(q), args, stream); });
    return out;
  }
  std::vector<at::Tensor> outs;
  for (std::int64_t i = 0; i < q.size(0); ++i) {
    const std::int64_t seen = numbers(rows.length)[i] + 1;
    const auto keys_of = [&](const at::Tensor& t) { return t.narrow(0, i, 1).narrow(2, 0, seen); };
    outs.push_back(at::scaled_dot_product_attention(q.select(0, i).view({1, heads, 1, head_dim}), keys_of(cache.keys),
                                                    keys_of(cache.values), std::nullopt, 0.0, false, scale,
                                                    /*enable_gqa=*/heads != kv_heads)
                       .view({1, heads * head_dim}));
  }
  return outs.size() == 1 ? outs[0] : at::cat(outs);
}

at::Tensor few_rows_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                           const at::Tensor& residual) {
  check_product(x, weight);
  require(!residual.defined() || (residual.size(0) == x.size(0) && residual.size(1) == weight.size(0)),
          "the residual must be [rows, out]");
  if (are_few_rows(x, weight) && (!residual.defined() || residual.is_contiguous())) {
    return stream_weight(x, weight, bias, residual, Epilogue::plain);
  }
  const at::Tensor y = at::linear(x, weight, bias);
  return residual.defined() ? y + residual : y;
}

at::Tensor few_rows_silu_mul(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  check_product(x, weight);
  require(weight.size(0) % 2 == 0, "few_rows_silu_mul wants weight [2 * out, in]");
  if (are_few_rows(x, weight)) return stream_weight(x, weight, bias, {}, Epilogue::silu_mul);
  const at::Tensor both = at::linear(x, weight, bias);
  const std::int64_t out = weight.size(0) / 2;
  return silu_mul(both.narrow(1, 0, out), both.narrow(1, out, out));
}

at::Tensor modulation(const at::Tensor& conditions, const at::Tensor& weight, const at::Tensor& bias) {
  check_product(conditions, weight);
  require(weight.size(0) % 4 == 0, "modulation wants weight [4 * dim, in]");
  const std::int64_t rows = conditions.size(0), dim = weight.size(0) / 4;
  if (are_few_rows(conditions, weight)) {
    return stream_weight(conditions, weight, bias, {}, Epilogue::modulation).view({rows, 4, dim});
  }
  std::vector<at::Tensor> products;  // one by one: more rows may be summed in another order
  for (std::int64_t i = 0; i < rows; ++i) products.push_back(at::linear(conditions.narrow(0, i, 1), weight, bias));
  const at::Tensor y = at::cat(products).view({rows, 4, dim});
  for (const std::int64_t scale : {0, 2}) y.select(1, scale).add_(1);
  for (const std::int64_t gate : {1, 3}) y.select(1, gate).tanh_();
  return y;
}

}  // namespace trireme::kernels
