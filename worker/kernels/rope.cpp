#include "worker/kernels/rope.h"

#include <ATen/ATen.h>

#include "worker/kernels/call.h"
#include "worker/kernels/norm.h"

namespace trireme::kernels {
namespace {

constexpr std::int64_t kMostRopeElements = std::int64_t{1} << 31;  // the kernel counts heads in 32 bits

void check_rope(const at::Tensor& x, const RopeTable& table) {
  require(x.dim() == 3 && x.size(2) % 2 == 0, "rope wants x [tokens, heads, even head_dim]");
  require(is_element(x), "rope wants float32 or bfloat16");
  for (const at::Tensor& t : {table.cos, table.sin}) {
    require(t.dim() == 2 && t.size(0) == x.size(0) && t.size(1) * 2 == x.size(2) && t.scalar_type() == at::kFloat,
            "rope table must be [tokens, head_dim / 2] float32");
  }
}

void plain_rope_(const at::Tensor& x, const RopeTable& table, RopePairs pairs) {
  const auto dtype = pairs == RopePairs::halves ? x.scalar_type() : at::kFloat;
  const at::Tensor cos = table.cos.unsqueeze(1).to(dtype), sin = table.sin.unsqueeze(1).to(dtype);
  at::Tensor a, b;  // the two elements of each pair: views of x
  if (pairs == RopePairs::adjacent) {
    a = x.slice(2, 0, x.size(2), 2), b = x.slice(2, 1, x.size(2), 2);
  } else {
    a = x.narrow(2, 0, x.size(2) / 2), b = x.narrow(2, x.size(2) / 2, x.size(2) / 2);
  }
  const at::Tensor wide_a = a.to(dtype), wide_b = b.to(dtype);
  const at::Tensor new_a = wide_a * cos - wide_b * sin, new_b = wide_b * cos + wide_a * sin;
  a.copy_(new_a);
  b.copy_(new_b);
}

Rotation rotation(RopePairs pairs) {
  if (pairs == RopePairs::adjacent) return Rotation::adjacent;
  return pairs == RopePairs::halves ? Rotation::halves : Rotation::halves_float32;
}

/// False where the kernel can't run: on a CPU, for odd head sizes and strides.
bool on_gpu(const at::Tensor& x, std::int64_t q_heads, const HeadNorm& norm, const RopeTable& table, RopePairs pairs) {
  const auto contiguous = [](const at::Tensor& t) { return !t.defined() || t.is_contiguous(); };
  const bool fits = x.is_cuda() && x.size(2) % 16 == 0 && x.size(2) <= kLargestRopeHeadDim && x.stride(2) == 1 &&
                    x.stride(0) % 8 == 0 && x.stride(1) % 8 == 0 && x.numel() < kMostRopeElements &&
                    aligned({x, norm.q, norm.k, table.cos, table.sin}) && contiguous(table.cos) &&
                    contiguous(table.sin) && contiguous(norm.q) && contiguous(norm.k);
  if (!fits) return false;
  if (x.numel() == 0) return true;
  const RopeLaunch args{x.data_ptr(),
                        pointer(norm.q),
                        pointer(norm.k),
                        table.cos.data_ptr<float>(),
                        table.sin.data_ptr<float>(),
                        x.size(0),
                        x.stride(0),
                        x.stride(1),
                        static_cast<int>(x.size(1)),
                        static_cast<int>(q_heads),
                        static_cast<int>(x.size(2)),
                        static_cast<float>(norm.eps)};
  enqueue(x, "rope", [&](cudaStream_t stream) { return launch_rope(element(x), rotation(pairs), args, stream); });
  return true;
}

}  // namespace

void rope_(const at::Tensor& x, const RopeTable& table, RopePairs pairs) {
  check_rope(x, table);
  if (on_gpu(x, x.size(1), {}, table, pairs)) return;
  plain_rope_(x, table, pairs);
}

void norm_rope_(const at::Tensor& qk, std::int64_t q_heads, const HeadNorm& norm, const RopeTable& table,
                RopePairs pairs) {
  check_rope(qk, table);
  require(q_heads > 0 && q_heads < qk.size(1), "norm_rope wants heads of q, then heads of k");
  for (const at::Tensor& weight : {norm.q, norm.k}) {
    require(weight.dim() == 1 && weight.size(0) == qk.size(2) && weight.scalar_type() == qk.scalar_type(),
            "norm weights must be [head_dim] in the dtype of the heads");
  }
  if (on_gpu(qk, q_heads, norm, table, pairs)) return;
  const at::Tensor q = qk.narrow(1, 0, q_heads), k = qk.narrow(1, q_heads, qk.size(1) - q_heads);
  q.copy_(rms_norm(q, norm.q, norm.eps));
  k.copy_(rms_norm(k, norm.k, norm.eps));
  plain_rope_(qk, table, pairs);
}

}  // namespace trireme::kernels
