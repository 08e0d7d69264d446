#include "worker/kernels/rope.h"

#include <ATen/ATen.h>

#include "worker/kernels/check.h"
#include "worker/kernels/norm.h"

namespace trireme::kernels {
namespace {

void check_rope(const at::Tensor& x, const RopeTable& table) {
  require(x.dim() == 3 && x.size(2) % 2 == 0, "rope wants x [tokens, heads, even head_dim]");
  require(x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16, "rope wants float32 or bfloat16");
  for (const at::Tensor& t : {table.cos, table.sin}) {
    require(t.dim() == 2 && t.size(0) == x.size(0) && t.size(1) * 2 == x.size(2) && t.scalar_type() == at::kFloat,
            "rope table must be [tokens, head_dim / 2] float32");
  }
}

void plain_rope_(const at::Tensor& x, const RopeTable& table, RopePairs pairs) {
  const auto dtype = pairs == RopePairs::adjacent ? at::kFloat : x.scalar_type();
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

}  // namespace

void rope_(const at::Tensor& x, const RopeTable& table, RopePairs pairs) {
  check_rope(x, table);
  plain_rope_(x, table, pairs);
}

void norm_rope_(const at::Tensor& x, const at::Tensor& weight, double eps, const RopeTable& table, RopePairs pairs) {
  check_rope(x, table);
  x.copy_(rms_norm(x, weight, eps));
  plain_rope_(x, table, pairs);
}

}  // namespace trireme::kernels
