#include "tests/worker/kernels/compare.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

namespace trireme {

at::Tensor random(at::IntArrayRef shape, at::ScalarType dtype, std::uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), at::kFloat).to(dtype);
}

double relative_error(const at::Tensor& got, const at::Tensor& expected) {
  EXPECT_EQ(got.sizes(), expected.sizes());
  const at::Tensor wide = expected.to(at::kCPU, at::kDouble);
  return ((got.to(at::kCPU, at::kDouble) - wide).abs().max() / wide.abs().max().clamp_min(1e-30)).item<double>();
}

double tolerance(at::ScalarType dtype) { return dtype == at::kFloat ? 2e-6 : 1.6e-2; }

}  // namespace trireme
