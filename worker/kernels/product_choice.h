#pragma once
// One of the ways in which cuBLASLt multiplies in bfloat16 on Hopper GPUs: for the table of product.cpp, and for the
// benchmark that finds what goes into it. No choice splits a sum; none takes a workspace.

#include <ATen/core/Tensor.h>
#include <cublasLt.h>

#include <cstdint>

namespace trireme::kernels {

struct ProductChoice {
  cublasLtMatmulTile_t tile;  // outputs x rows
  cublasLtClusterShape_t cluster;
  std::uint32_t order;  // in which tiles are walked, by cuBLASLt's own numbering: 0 to 7
};

/// x [rows, in] times weight [out, in] turned -> out [rows, out], all bfloat16, contiguous and on 16-byte borders.
/// Enqueues on the current stream. False, with nothing enqueued, when this cuBLASLt or GPU lacks the choice. Throws
/// Error(unavailable) when cuBLASLt fails.
bool multiply(const ProductChoice& choice, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& out);

}  // namespace trireme::kernels
