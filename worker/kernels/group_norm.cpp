#include "worker/kernels/group_norm.h"

#include <ATen/ATen.h>

#include "worker/kernels/check.h"

namespace trireme::kernels {

at::Tensor group_norm(const at::Tensor& x, int groups, const at::Tensor& weight, const at::Tensor& bias, double eps,
                      bool silu) {
  require(x.dim() == 4 && groups > 0 && x.size(1) % groups == 0,
          "group_norm wants x [N, C, H, W], C divisible by groups");
  require(weight.dim() == 1 && weight.size(0) == x.size(1) && bias.sizes() == weight.sizes(),
          "group_norm weight and bias must be [C]");
  require(weight.scalar_type() == x.scalar_type() && bias.scalar_type() == x.scalar_type(),
          "group_norm operands must share a dtype");
  at::Tensor out = at::group_norm(x, groups, weight, bias, eps);
  if (silu) at::silu_(out);
  return out.contiguous(x.suggest_memory_format());
}

}  // namespace trireme::kernels
