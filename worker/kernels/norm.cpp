#include "worker/kernels/norm.h"

#include <ATen/ATen.h>

#include "worker/kernels/call.h"

namespace trireme::kernels {
namespace {

void check_row_operands(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& vector) {
  require(x.dim() >= 1 && weight.dim() == 1 && weight.size(0) == x.size(-1),
          "norm weight must be [dim] for x [.., dim]");
  require(is_element(x), "norm wants float32 or bfloat16");
  require(weight.scalar_type() == x.scalar_type(), "norm weight and x must share a dtype");
  require(!vector.defined() || (vector.numel() == x.size(-1) && vector.scalar_type() == x.scalar_type()),
          "modulation or gate must be [dim] in the dtype of x");
}

at::Tensor normalized(const at::Tensor& x, double eps) {  // float32
  const at::Tensor wide = x.to(at::kFloat);
  return wide * at::rsqrt(wide.pow(2).mean(-1, /*keepdim=*/true) + eps);
}

/// The kernel's result, or an undefined tensor where it can't run: on a CPU, and for odd widths.
at::Tensor on_gpu(RowNorm kind, const at::Tensor& input, const at::Tensor& weight, double eps,
                  const at::Tensor& input_vector, const at::Tensor& input_residual) {
  if (!input.is_cuda() || input.size(-1) % 8 != 0 || input.size(-1) > kLargestNormDim) return {};
  const at::Tensor x = input.contiguous();
  const at::Tensor vector = input_vector.defined() ? input_vector.reshape({-1}).contiguous() : at::Tensor();
  const at::Tensor residual = input_residual.defined() ? input_residual.contiguous() : at::Tensor();
  if (!weight.is_contiguous() || !aligned({x, weight, vector, residual})) return {};
  at::Tensor out = at::empty_like(x);
  if (x.numel() == 0) return out;
  const int dim = static_cast<int>(x.size(-1));
  const RowNormLaunch args{
      x.data_ptr(), weight.data_ptr(),      pointer(vector), pointer(residual), out.data_ptr(), x.numel() / dim,
      dim,          static_cast<float>(eps)};
  enqueue(x, "a norm", [&](cudaStream_t stream) { return launch_row_norm(element(x), kind, args, stream); });
  return out;
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, const at::Tensor& modulation) {
  check_row_operands(x, weight, modulation);
  const RowNorm kind = modulation.defined() ? RowNorm::modulated : RowNorm::plain;
  if (at::Tensor out = on_gpu(kind, x, weight, eps, modulation, {}); out.defined()) return out;
  at::Tensor out = normalized(x, eps).to(x.scalar_type()).mul_(weight);
  if (modulation.defined()) out.mul_(modulation.reshape({-1}) + 1);
  return out;
}

at::Tensor rms_norm_one_plus(const at::Tensor& x, const at::Tensor& weight, double eps) {
  check_row_operands(x, weight, {});
  if (at::Tensor out = on_gpu(RowNorm::one_plus, x, weight, eps, {}, {}); out.defined()) return out;
  return (normalized(x, eps) * (weight.to(at::kFloat) + 1)).to(x.scalar_type());
}

at::Tensor add_gated_norm(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight, double eps,
                          const at::Tensor& gate) {
  require(residual.sizes() == x.sizes() && residual.scalar_type() == x.scalar_type(), "residual must be like x");
  check_row_operands(x, weight, gate);
  const RowNorm kind = gate.defined() ? RowNorm::gated_add : RowNorm::add;
  if (at::Tensor out = on_gpu(kind, x, weight, eps, gate, residual); out.defined()) return out;
  at::Tensor out = rms_norm(x, weight, eps);
  if (gate.defined()) out.mul_(gate.reshape({-1}).tanh());
  return out.add_(residual);
}

}  // namespace trireme::kernels
