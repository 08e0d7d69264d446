#include "worker/kernels/norm.h"

#include <ATen/ATen.h>

#include "worker/kernels/call.h"
#include "worker/kernels/capability.h"

namespace trireme::kernels {
namespace {

void check_norm(const at::Tensor& x, const ScaledNorm& norm) {
  require(x.dim() >= 1 && norm.weight.dim() == 1 && norm.weight.size(0) == x.size(-1),
          "norm weight must be [dim] for x [.., dim]");
  require(is_element(x), "norm wants float32 or bfloat16");
  require(norm.weight.scalar_type() == x.scalar_type(), "norm weight and x must share a dtype");
  require(!norm.factor.defined() || (norm.factor.scalar_type() == x.scalar_type() && norm.factor.dim() == 1 &&
                                     norm.factor.size(0) == x.size(-1)),
          "what a norm is multiplied with must be [dim] in the dtype of x");
}

void check_sum(const at::Tensor& residual, const at::Tensor& x) {
  require(residual.sizes() == x.sizes() && residual.scalar_type() == x.scalar_type(), "residual must be like x");
}

at::Tensor normalized(const at::Tensor& x, double eps) {  // float32
  const at::Tensor wide = x.to(at::kFloat);
  return wide * at::rsqrt(wide.pow(2).mean(-1, /*keepdim=*/true) + eps);
}

at::Tensor plain_norm(const at::Tensor& x, const ScaledNorm& norm, double eps) {
  at::Tensor out = normalized(x, eps).to(x.scalar_type()).mul_(norm.weight);
  return norm.factor.defined() ? out.mul_(norm.factor) : out;
}

at::Tensor plain_norm_one_plus(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return (normalized(x, eps) * (weight.to(at::kFloat) + 1)).to(x.scalar_type());
}

struct Call {
  at::Tensor x, residual;
  ScaledNorm of_x, of_sum;
  double eps = 0;
  bool one_plus = false, centered = false;
};

/// The kernel's results, undefined where it can't run: on a CPU, and for odd widths.
SumAndNorm on_gpu(const Call& call) {
  if (!call.x.is_cuda() || call.x.size(-1) % 8 != 0 || call.x.size(-1) > kLargestNormDim) return {};
  const at::Tensor x = call.x.contiguous();
  const at::Tensor residual = call.residual.defined() ? call.residual.contiguous() : at::Tensor();
  for (const ScaledNorm& norm : {call.of_x, call.of_sum}) {
    for (const at::Tensor& vector : {norm.weight, norm.factor}) {
      if (vector.defined() && !vector.is_contiguous()) return {};
    }
    if (!aligned({norm.weight, norm.factor})) return {};
  }
  if (!aligned({x, residual})) return {};
  SumAndNorm out;
  if (residual.defined()) out.sum = at::empty_like(x);
  if (call.of_sum.weight.defined()) out.norm = at::empty_like(x);
  if (x.numel() == 0) return out;
  RowNormLaunch args{};
  args.x = x.data_ptr();
  args.weight = pointer(call.of_x.weight);
  args.gate = pointer(call.of_x.factor);
  args.residual = pointer(residual);
  args.sum = out.sum.defined() ? out.sum.data_ptr() : nullptr;
  args.next_weight = pointer(call.of_sum.weight);
  args.scale = pointer(call.of_sum.factor);
  args.norm = out.norm.defined() ? out.norm.data_ptr() : nullptr;
  args.dim = static_cast<int>(x.size(-1));
  args.rows = x.numel() / args.dim;
  args.eps = static_cast<float>(call.eps);
  args.one_plus = call.one_plus, args.centered = call.centered;
  args.multiprocessors = multiprocessors(x.device());
  enqueue(x, "a norm", [&](cudaStream_t stream) { return launch_row_norm(element(x), args, stream); });
  return out;
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, const at::Tensor& scale) {
  const ScaledNorm norm{weight, scale};
  check_norm(x, norm);
  if (SumAndNorm out = on_gpu({x, {}, {}, norm, eps}); out.norm.defined()) return out.norm;
  return plain_norm(x, norm, eps);
}

at::Tensor rms_norm_one_plus(const at::Tensor& x, const at::Tensor& weight, double eps) {
  check_norm(x, {weight, {}});
  if (SumAndNorm out = on_gpu({x, {}, {}, {weight, {}}, eps, /*one_plus=*/true}); out.norm.defined()) return out.norm;
  return plain_norm_one_plus(x, weight, eps);
}

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& scale, double eps) {
  check_norm(x, {scale, {}});
  const Call call{x, {}, {}, {scale, {}}, eps, /*one_plus=*/false, /*centered=*/true};
  if (SumAndNorm out = on_gpu(call); out.norm.defined()) return out.norm;
  return at::layer_norm(x, {x.size(-1)}, {}, {}, eps).mul_(scale);
}

at::Tensor add_norm(const at::Tensor& residual, const at::Tensor& x, const ScaledNorm& of_x, double eps) {
  check_sum(residual, x);
  check_norm(x, of_x);
  if (SumAndNorm out = on_gpu({x, residual, of_x, {}, eps}); out.sum.defined()) return out.sum;
  return plain_norm(x, of_x, eps).add_(residual);
}

SumAndNorm add_then_norm(const at::Tensor& residual, const at::Tensor& x, const ScaledNorm& of_x,
                         const ScaledNorm& of_sum, double eps) {
  check_sum(residual, x);
  if (of_x.weight.defined()) check_norm(x, of_x);
  check_norm(x, of_sum);
  if (SumAndNorm out = on_gpu({x, residual, of_x, of_sum, eps}); out.sum.defined()) return out;
  const at::Tensor sum = of_x.weight.defined() ? plain_norm(x, of_x, eps).add_(residual) : residual + x;
  return {sum, plain_norm(sum, of_sum, eps)};
}

SumAndNorm add_then_norm_one_plus(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight_of_x,
                                  const at::Tensor& weight_of_sum, double eps) {
  check_sum(residual, x);
  if (weight_of_x.defined()) check_norm(x, {weight_of_x, {}});
  check_norm(x, {weight_of_sum, {}});
  const Call call{x, residual, {weight_of_x, {}}, {weight_of_sum, {}}, eps, /*one_plus=*/true};
  if (SumAndNorm out = on_gpu(call); out.sum.defined()) return out;
  const at::Tensor sum = residual + (weight_of_x.defined() ? plain_norm_one_plus(x, weight_of_x, eps) : x);
  return {sum, plain_norm_one_plus(sum, weight_of_sum, eps)};
}

}  // namespace trireme::kernels
