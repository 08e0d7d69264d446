#pragma once
// x · weightᵀ of a linear layer without bias. Where a table of measured products (product.cpp) knows the GPU and the
// shape, cuBLASLt works with the tile that was fastest there, without a workspace; everywhere else this is at::linear,
// and cuBLAS chooses. The table goes by device name and shape, never by a timing, so a shape has the same bits in every
// call. Enqueues on the current stream. Throws Error(unavailable) when cuBLASLt fails.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace trireme::kernels {

/// x [.., in], weight [out, in] -> [.., out].
at::Tensor product(const at::Tensor& x, const at::Tensor& weight);

struct ProductShape {
  std::int64_t rows, out, in;
};
/// The shapes of the table, the ends of its ranges, for tests and benchmarks.
std::vector<ProductShape> measured_products();

}  // namespace trireme::kernels
