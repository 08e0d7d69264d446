#include "worker/kernels/rope.h"

#include <ATen/ATen.h>

#include "worker/kernels/call.h"
#include "worker/kernels/norm.h"

namespace trireme::kernels {
namespace {

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
bool on_gpu(const at::Tensor& x, const at::Tensor& weight, double eps, const RopeTable& table, RopePairs pairs) {
  const bool fits = x.is_cuda() && x.size(2) % 16 == 0 && x.size(2) <= kLargestRopeHeadDim && x.stride(2) == 1 &&
                    x.stride(0) % 8 == 0 && x.stride(1) % 8 == 0 && table.cos.is_contiguous() &&
                    table.sin.is_contiguous() && aligned({x, weight, table.cos, table.sin}) &&
                    (!weight.defined() || weight.is_contiguous());
  if (!fits) return false;
  if (x.numel() == 0) return true;
  const RopeLaunch args{
      x.data_ptr(), pointer(weight), table.cos.data_ptr<float>(), table.sin.data_ptr<float>(), x.size(0),
      x.stride(0),  x.stride(1),     static_cast<int>(x.size(1)), static_cast<int>(x.size(2)), static_cast<float>(eps)};
  enqueue(x, "rope", [&](cudaStream_t stream) { return launch_rope(element(x), rotation(pairs), args, stream); });
  return true;
}

}  // namespace

void rope_(const at::Tensor& x, const RopeTable& table, RopePairs pairs) {
  check_rope(x, table);
  if (on_gpu(x, {}, 0, table, pairs)) return;
  plain_rope_(x, table, pairs);
}

void norm_rope_(const at::Tensor& x, const at::Tensor& weight, double eps, const RopeTable& table, RopePairs pairs) {
  check_rope(x, table);
  require(weight.dim() == 1 && weight.size(0) == x.size(2) && weight.scalar_type() == x.scalar_type(),
          "norm weight must be [head_dim] in the dtype of x");
  if (on_gpu(x, weight, eps, table, pairs)) return;
  x.copy_(rms_norm(x, weight, eps));
  plain_rope_(x, table, pairs);
}

}  // namespace trireme::kernels
