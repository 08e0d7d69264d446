#include "worker/nn/linear.h"

#include <ATen/ATen.h>

#include "worker/kernels/fp8.h"
#include "worker/kernels/gate.h"
#include "worker/kernels/product.h"

namespace trireme::nn {

void Linear::want(Parameters& parameters, const std::string& name, std::int64_t out, std::int64_t in, Bias with_bias) {
  parameters.want(name + ".weight", {out, in}, &weight);
  if (with_bias == Bias::present) parameters.want(name + ".bias", {out}, &bias);
}

void Linear::want_joined(Parameters& parameters, const std::vector<Rows>& layers, std::int64_t in, Bias with_bias,
                         std::int64_t multiple) {
  std::int64_t rows = 0, first = 0;
  for (const Rows& layer : layers) rows += padded(layer.out, multiple);
  for (const Rows& layer : layers) {
    parameters.want(layer.name + ".weight", {layer.out, in}, &weight, {first, rows});
    if (with_bias == Bias::present) parameters.want(layer.name + ".bias", {layer.out}, &bias, {first, rows});
    first += padded(layer.out, multiple);
  }
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  if (scales.defined()) {
    return kernels::scaled_product(kernels::quantise_rows(x), {weight, scales}, bias, x.scalar_type());
  }
  const at::Tensor matrix = weight.dim() == 2 ? weight : weight.flatten(1);
  return bias.defined() ? at::linear(x, matrix, bias) : kernels::product(x, matrix);
}

at::Tensor Linear::of_silu_mul(const at::Tensor& a, const at::Tensor& b) const {
  if (!scales.defined()) return (*this)(kernels::silu_mul(a, b));
  return kernels::scaled_product(kernels::quantise_silu_mul(a, b), {weight, scales}, bias, a.scalar_type());
}

void Conv2d::want(Parameters& parameters, const std::string& name, std::int64_t out, std::int64_t in,
                  std::int64_t kernel) {
  parameters.want(name + ".weight", {out, in, kernel, kernel}, &weight);
  parameters.want(name + ".bias", {out}, &bias);
}

at::Tensor Conv2d::operator()(const at::Tensor& x) const {
  const std::int64_t padding = weight.size(2) / 2;
  return at::conv2d(x, weight, bias, /*stride=*/1, padding);
}

}  // namespace trireme::nn
