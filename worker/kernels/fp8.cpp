#include "worker/kernels/fp8.h"

#include <ATen/ATen.h>

#include "worker/kernels/call.h"
#include "worker/kernels/gate.h"

namespace trireme::kernels {
namespace {

constexpr std::int64_t kMultiple = 16;

at::Tensor wide(const ScaledRows& rows) { return rows.values.to(at::kFloat).mul_(rows.scales); }

ScaledRows quantise_plainly(const at::Tensor& x) {
  const at::Tensor values = x.to(at::kFloat);
  const at::Tensor largest = values.abs().amax({1}, /*keepdim=*/true).clamp_min_(kSmallestFp8Row);
  const at::Tensor limit = at::full({}, kLargestFp8, largest.options());  // a Tensor: divided as the kernel does it
  return {values.mul(limit / largest).to(at::kFloat8_e4m3fn), largest / limit};
}

bool fits_kernel(const at::Tensor& x) {
  return x.is_cuda() && x.size(1) % kMultiple == 0 && x.size(1) <= kLargestFp8Dim && x.stride(1) == 1 &&
         x.stride(0) % 8 == 0 && aligned({x}) && x.numel() > 0;
}

/// `b` undefined: x = a.
ScaledRows launch(const at::Tensor& a, const at::Tensor& b) {
  const ScaledRows out{at::empty(a.sizes(), a.options().dtype(at::kFloat8_e4m3fn)),
                       at::empty({a.size(0), 1}, a.options().dtype(at::kFloat))};
  QuantiseRowsLaunch args{};
  args.a = a.data_ptr(), args.b = pointer(b);
  args.values = out.values.data_ptr(), args.scales = out.scales.data_ptr<float>();
  args.rows = a.size(0), args.dim = static_cast<int>(a.size(1));
  args.a_stride = a.stride(0), args.b_stride = b.defined() ? b.stride(0) : 0;
  enqueue(a, "quantise_rows", [&](cudaStream_t stream) { return launch_quantise_rows(element(a), args, stream); });
  return out;
}

}  // namespace

bool fits_fp8(at::IntArrayRef weight_shape) {
  return weight_shape.size() == 2 && weight_shape[0] > 0 && weight_shape[0] % kMultiple == 0 && weight_shape[1] > 0 &&
         weight_shape[1] % kMultiple == 0;
}

ScaledRows quantise_rows(const at::Tensor& x) {
  require(x.dim() == 2 && is_element(x), "quantise_rows wants x [rows, dim], float32 or bfloat16");
  return fits_kernel(x) ? launch(x, {}) : quantise_plainly(x);
}

ScaledRows quantise_silu_mul(const at::Tensor& a, const at::Tensor& b) {
  require(a.dim() == 2 && a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() && is_element(a),
          "quantise_silu_mul wants a, b [rows, dim], float32 or bfloat16");
  return fits_kernel(a) && fits_kernel(b) ? launch(a, b) : quantise_rows(silu_mul(a, b));
}

at::Tensor scaled_product(const ScaledRows& x, const ScaledRows& weight, const at::Tensor& bias, at::ScalarType dtype) {
  require(x.values.dim() == 2 && fits_fp8(weight.values.sizes()) && x.values.size(1) == weight.values.size(1),
          "scaled_product wants x [rows, in] and weight [out, in], multiples of 16");
  if (!x.values.is_cuda()) return at::linear(wide(x), wide(weight), bias).to(dtype);
  const std::optional<at::Tensor> added = bias.defined() ? std::optional(bias) : std::nullopt;
  return at::_scaled_mm(x.values, weight.values.t(), x.scales, weight.scales.view({1, -1}), added, std::nullopt, dtype,
                        /*use_fast_accum=*/true);
}

}  // namespace trireme::kernels
