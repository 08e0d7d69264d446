#pragma once
// Inputs and comparisons of the kernel tests. The plain body on a CPU is checked against formulas written out in
// float64; the kernel on a GPU against the plain body.

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <cstdint>

namespace trireme {

/// N(0, 1), the same on every run.
at::Tensor random(at::IntArrayRef shape, at::ScalarType dtype, std::uint64_t seed);

/// Largest difference, relative to the largest magnitude of `expected`.
double relative_error(const at::Tensor& got, const at::Tensor& expected);

/// A few roundings of the dtype: sums differ in order and the kernels' products may be fused.
double tolerance(at::ScalarType dtype);

inline constexpr at::ScalarType kDtypes[] = {at::kFloat, at::kBFloat16};

#define TRIREME_NEEDS_GPU() \
  if (!at::hasCUDA()) GTEST_SKIP() << "no GPU: the kernel itself was not run"

}  // namespace trireme
