#include "worker/kernels/norm.h"

#include <ATen/ATen.h>

#include "worker/kernels/check.h"

namespace trireme::kernels {
namespace {

void check_row_operands(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& vector) {
  require(x.dim() >= 1 && weight.dim() == 1 && weight.size(0) == x.size(-1),
          "norm weight must be [dim] for x [.., dim]");
  require(x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16, "norm wants float32 or bfloat16");
  require(weight.scalar_type() == x.scalar_type(), "norm weight and x must share a dtype");
  require(!vector.defined() || (vector.numel() == x.size(-1) && vector.scalar_type() == x.scalar_type()),
          "modulation or gate must be [dim] in the dtype of x");
}

at::Tensor normalized(const at::Tensor& x, double eps) {  // float32
  const at::Tensor wide = x.to(at::kFloat);
  return wide * at::rsqrt(wide.pow(2).mean(-1, /*keepdim=*/true) + eps);
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, const at::Tensor& modulation) {
  check_row_operands(x, weight, modulation);
  at::Tensor out = normalized(x, eps).to(x.scalar_type()).mul_(weight);
  if (modulation.defined()) out.mul_(modulation.reshape({-1}) + 1);
  return out;
}

at::Tensor rms_norm_one_plus(const at::Tensor& x, const at::Tensor& weight, double eps) {
  check_row_operands(x, weight, {});
  return (normalized(x, eps) * (weight.to(at::kFloat) + 1)).to(x.scalar_type());
}

at::Tensor add_gated_norm(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight, double eps,
                          const at::Tensor& gate) {
  require(residual.sizes() == x.sizes() && residual.scalar_type() == x.scalar_type(), "residual must be like x");
  check_row_operands(x, weight, gate);
  at::Tensor out = rms_norm(x, weight, eps);
  if (gate.defined()) out.mul_(gate.reshape({-1}).tanh());
  return out.add_(residual);
}

}  // namespace trireme::kernels
