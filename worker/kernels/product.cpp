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

/// Z-Image's q, k and v (11520), attention's output and w2 (3840): a picture of 512 x 512; then of 1024 x 1024, and
/// four of 512 x 512. Rows are tokens of pictures (1024, 4096) and of captions, padded to 32, 64 or 96 each; of a range
/// all make outputs of 3840 in three full turns of 15 x 26 tiles. Last, NewBie-image's at 1024 x 1024 with a caption of
/// 256. What cuBLAS takes by itself is 0.5 to 8 % slower: docs/performance.md. bench/product_choices finds such
/// choices.
struct Entry {
  std::int64_t least_rows, most_rows, out, in;
  ProductChoice choice;
};
constexpr const char* kDevice = "H200";
constexpr std::array<Entry, 18> kTable{{
    {1056, 1056, 11520, 3840, {CUBLASLT_MATMUL_TILE_128x272, CUBLASLT_CLUSTER_SHAPE_2x2x1, 5}},
    {1056, 1056, 3840, 3840, {CUBLASLT_MATMUL_TILE_256x136, CUBLASLT_CLUSTER_SHAPE_1x2x1, 7}},
    {1088, 1088, 11520, 3840, {CUBLASLT_MATMUL_TILE_128x272, CUBLASLT_CLUSTER_SHAPE_2x1x1, 5}},
    {1088, 1088, 3840, 10240, {CUBLASLT_MATMUL_TILE_176x192, CUBLASLT_CLUSTER_SHAPE_1x2x1, 6}},
    {1120, 1120, 11520, 3840, {CUBLASLT_MATMUL_TILE_128x112, CUBLASLT_CLUSTER_SHAPE_1x1x1, 1}},
    {4096, 4096, 11520, 3840, {CUBLASLT_MATMUL_TILE_128x256, CUBLASLT_CLUSTER_SHAPE_2x1x1, 5}},
    {4128, 4160, 11520, 3840, {CUBLASLT_MATMUL_TILE_256x160, CUBLASLT_CLUSTER_SHAPE_1x2x1, 7}},
    {4096, 4160, 3840, 3840, {CUBLASLT_MATMUL_TILE_256x160, CUBLASLT_CLUSTER_SHAPE_1x2x1, 7}},
    {4096, 4160, 3840, 10240, {CUBLASLT_MATMUL_TILE_256x160, CUBLASLT_CLUSTER_SHAPE_1x2x1, 7}},
    {4161, 4368, 3840, 3840, {CUBLASLT_MATMUL_TILE_256x168, CUBLASLT_CLUSTER_SHAPE_1x2x1, 7}},
    {4161, 4368, 3840, 10240, {CUBLASLT_MATMUL_TILE_256x168, CUBLASLT_CLUSTER_SHAPE_1x2x1, 7}},
    {4352, 4352, 11520, 3840, {CUBLASLT_MATMUL_TILE_176x128, CUBLASLT_CLUSTER_SHAPE_1x2x1, 2}},
    {4480, 4480, 11520, 3840, {CUBLASLT_MATMUL_TILE_128x280, CUBLASLT_CLUSTER_SHAPE_2x1x1, 7}},
    {4480, 4480, 3840, 3840, {CUBLASLT_MATMUL_TILE_128x208, CUBLASLT_CLUSTER_SHAPE_2x1x1, 5}},
    {4480, 4480, 3840, 10240, {CUBLASLT_MATMUL_TILE_128x208, CUBLASLT_CLUSTER_SHAPE_2x1x1, 5}},
    {4352, 4352, 3840, 2304, {CUBLASLT_MATMUL_TILE_168x128, CUBLASLT_CLUSTER_SHAPE_1x2x1, 2}},
    {4352, 4352, 2304, 2304, {CUBLASLT_MATMUL_TILE_128x152, CUBLASLT_CLUSTER_SHAPE_1x1x1, 3}},
    {4352, 4352, 2304, 9216, {CUBLASLT_MATMUL_TILE_384x104, CUBLASLT_CLUSTER_SHAPE_1x2x1, 7}},
}};

/// By the shape first: every layer asks, at every step.
const Entry* find_entry(const at::Tensor& x, const at::Tensor& weight) {
  if (x.dim() != 2) return nullptr;
  const auto* const entry = std::find_if(kTable.begin(), kTable.end(), [&](const Entry& e) {
    return e.least_rows <= x.size(0) && x.size(0) <= e.most_rows && e.out == weight.size(0) && e.in == x.size(1) &&
           e.in == weight.size(1);
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
    const at::Tensor out = at::empty({x.size(0), entry->out}, x.options());
    if (multiply(entry->choice, x, weight, out)) return out;
  }
  return at::linear(x, weight);
}

std::vector<ProductShape> measured_products() {
  std::vector<ProductShape> shapes;
  for (const Entry& e : kTable) {
    shapes.push_back({e.least_rows, e.out, e.in});
    if (e.most_rows != e.least_rows) shapes.push_back({e.most_rows, e.out, e.in});
  }
  return shapes;
}

}  // namespace trireme::kernels
