#pragma once
// A product x · weightᵀ in bfloat16 by one CUTLASS kernel, as product_tiles times it.

#include <cuda_runtime_api.h>

#include <cstdint>
#include <vector>

namespace trireme::bench {

struct Product {
  const void* x;       // [rows, in]
  const void* weight;  // [out, in]
  void* y;             // [rows, out]
  int rows, out, in;
  void* workspace;
  std::size_t workspace_bytes;
};

struct ProductTile {
  const char* name;
  cudaError_t (*launch)(const Product& product, cudaStream_t stream);
};
/// All that were compiled in.
std::vector<ProductTile>& product_tiles();

}  // namespace trireme::bench
