#include "worker/kernels/product.h"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAContext.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "worker/kernels/call.h"
#include "worker/kernels/product_choice.h"

namespace trireme::kernels {
namespace {

/// Z-Image's products with captions of 33 to 64 tokens (1056: up to 32, 1120: up to 96), at 1024 x 1024, four and one
/// of 512 x 512: q, k and v (11520), the attention's output and w2 (3840). What cuBLAS takes by itself is 0.5 to 7 %
/// slower: docs/performance.md. bench/product_choices finds such choices.
struct Entry {
  std::int64_t rows, out, in;
  ProductChoice choice;
};
constexpr const char* kDevice = "H200";
constexpr std::array<Entry, 11> kTable{{
    {4160, 11520, 3840, {CUBLASLT_MATMUL_TILE_256x160, CUBLASLT_CLUSTER_SHAPE_1x2x1, 5}},
    {4160, 3840, 3840, {CUBLASLT_MATMUL_TILE_128x120, CUBLASLT_CLUSTER_SHAPE_1x1x1, 3}},
    {4160, 3840, 10240, {CUBLASLT_MATMUL_TILE_128x320, CUBLASLT_CLUSTER_SHAPE_2x1x1, 7}},
    {4352, 11520, 3840, {CUBLASLT_MATMUL_TILE_176x128, CUBLASLT_CLUSTER_SHAPE_1x2x1, 2}},
    {4352, 3840, 3840, {CUBLASLT_MATMUL_TILE_256x128, CUBLASLT_CLUSTER_SHAPE_1x2x1, 7}},
    {4352, 3840, 10240, {CUBLASLT_MATMUL_TILE_256x128, CUBLASLT_CLUSTER_SHAPE_1x2x1, 6}},
    {1056, 11520, 3840, {CUBLASLT_MATMUL_TILE_128x272, CUBLASLT_CLUSTER_SHAPE_2x2x1, 5}},
    {1056, 3840, 3840, {CUBLASLT_MATMUL_TILE_256x136, CUBLASLT_CLUSTER_SHAPE_1x2x1, 7}},
    {1088, 11520, 3840, {CUBLASLT_MATMUL_TILE_128x272, CUBLASLT_CLUSTER_SHAPE_2x1x1, 5}},
    {1088, 3840, 10240, {CUBLASLT_MATMUL_TILE_176x192, CUBLASLT_CLUSTER_SHAPE_1x2x1, 6}},
    {1120, 11520, 3840, {CUBLASLT_MATMUL_TILE_128x112, CUBLASLT_CLUSTER_SHAPE_1x1x1, 1}},
}};

/// By the shape first: every layer asks, at every step.
const Entry* find_entry(const at::Tensor& x, const at::Tensor& weight) {
  if (x.dim() != 2) return nullptr;
  const auto* const entry = std::find_if(kTable.begin(), kTable.end(), [&](const Entry& e) {
    return e.rows == x.size(0) && e.out == weight.size(0) && e.in == x.size(1) && e.in == weight.size(1);
  });
  if (entry == kTable.end() || !x.is_cuda()) return nullptr;
  const bool fits = x.scalar_type() == at::kBFloat16 && weight.scalar_type() == at::kBFloat16 && x.is_contiguous() &&
                    weight.is_contiguous() && aligned({x, weight}) &&
                    std::strstr(at::cuda::getDeviceProperties(x.device().index())->name, kDevice) != nullptr;
  return fits ? entry : nullptr;
}

}  // namespace

at::Tensor product(const at::Tensor& x, const at::Tensor& weight) {
  if (const Entry* const entry = find_entry(x, weight)) {
    const at::Tensor out = at::empty({entry->rows, entry->out}, x.options());
    if (multiply(entry->choice, x, weight, out)) return out;
  }
  return at::linear(x, weight);
}

std::vector<ProductShape> measured_products() {
  std::vector<ProductShape> shapes;
  for (const Entry& e : kTable) shapes.push_back({e.rows, e.out, e.in});
  return shapes;
}

}  // namespace trireme::kernels
