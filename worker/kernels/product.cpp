#include "worker/kernels/product.h"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAContext.h>
#include <cublasLt.h>

#include <array>
#include <cstring>
#include <optional>

#include "worker/kernels/call.h"

namespace trireme::kernels {
namespace {

/// Z-Image's products with captions of 33 to 64 tokens (1056: up to 32, 1120: up to 96), at 1024 x 1024, four and one
/// of 512 x 512: q, k and v (11520), the attention's output and w2 (3840). What cuBLAS takes by itself is 1 to 7 %
/// slower: docs/performance.md. A tile is outputs x rows; `order` is how tiles are walked, by cuBLASLt's own numbering.
struct Entry {
  std::int64_t rows, out, in;
  cublasLtMatmulTile_t tile;
  cublasLtClusterShape_t cluster;
  std::uint32_t order;
};
constexpr const char* kDevice = "H200";
constexpr std::array<Entry, 11> kTable{{
    {4160, 11520, 3840, CUBLASLT_MATMUL_TILE_256x160, CUBLASLT_CLUSTER_SHAPE_1x2x1, 5},
    {4160, 3840, 3840, CUBLASLT_MATMUL_TILE_128x120, CUBLASLT_CLUSTER_SHAPE_1x1x1, 3},
    {4160, 3840, 10240, CUBLASLT_MATMUL_TILE_128x320, CUBLASLT_CLUSTER_SHAPE_2x1x1, 7},
    {4352, 11520, 3840, CUBLASLT_MATMUL_TILE_176x128, CUBLASLT_CLUSTER_SHAPE_1x2x1, 2},
    {4352, 3840, 3840, CUBLASLT_MATMUL_TILE_256x128, CUBLASLT_CLUSTER_SHAPE_1x2x1, 7},
    {4352, 3840, 10240, CUBLASLT_MATMUL_TILE_256x128, CUBLASLT_CLUSTER_SHAPE_1x2x1, 6},
    {1056, 11520, 3840, CUBLASLT_MATMUL_TILE_128x272, CUBLASLT_CLUSTER_SHAPE_2x2x1, 5},
    {1056, 3840, 3840, CUBLASLT_MATMUL_TILE_256x136, CUBLASLT_CLUSTER_SHAPE_1x2x1, 7},
    {1088, 11520, 3840, CUBLASLT_MATMUL_TILE_128x272, CUBLASLT_CLUSTER_SHAPE_2x1x1, 5},
    {1088, 3840, 10240, CUBLASLT_MATMUL_TILE_176x192, CUBLASLT_CLUSTER_SHAPE_1x2x1, 6},
    {1120, 11520, 3840, CUBLASLT_MATMUL_TILE_128x112, CUBLASLT_CLUSTER_SHAPE_1x1x1, 1},
}};
constexpr int kHopperProducts = 66;  // cuBLASLt's id of its kernels for capability 9.0, of which these are tiles

const Entry* find_entry(const at::Tensor& x, const at::Tensor& weight) {
  const bool fits = x.is_cuda() && x.dim() == 2 && x.scalar_type() == at::kBFloat16 &&
                    weight.scalar_type() == at::kBFloat16 && x.is_contiguous() && weight.is_contiguous() &&
                    aligned({x, weight});
  if (!fits) return nullptr;
  for (const Entry& e : kTable) {
    if (e.rows != x.size(0) || e.out != weight.size(0) || e.in != x.size(1) || e.in != weight.size(1)) continue;
    return std::strstr(at::cuda::getDeviceProperties(x.device().index())->name, kDevice) != nullptr ? &e : nullptr;
  }
  return nullptr;
}

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(ExitCode::unavailable, std::string(what) + " failed: " + cublasLtGetStatusString(status));
}

/// Nothing when this cuBLASLt does not know the choice: one that others than that of the measurements may lack.
std::optional<cublasLtMatmulAlgo_t> algorithm(cublasLtHandle_t handle, const Entry& entry) {
  cublasLtMatmulAlgo_t algo;
  bool known = cublasLtMatmulAlgoInit(handle, CUBLAS_COMPUTE_32F, CUDA_R_32F, CUDA_R_16BF, CUDA_R_16BF, CUDA_R_16BF,
                                      CUDA_R_16BF, kHopperProducts, &algo) == CUBLAS_STATUS_SUCCESS;
  const auto set = [&](cublasLtMatmulAlgoConfigAttributes_t attribute, auto value) {
    known =
        known && cublasLtMatmulAlgoConfigSetAttribute(&algo, attribute, &value, sizeof value) == CUBLAS_STATUS_SUCCESS;
  };
  set(CUBLASLT_ALGO_CONFIG_TILE_ID, static_cast<std::uint32_t>(entry.tile));
  set(CUBLASLT_ALGO_CONFIG_STAGES_ID, static_cast<std::uint32_t>(CUBLASLT_MATMUL_STAGES_64xAUTO));
  set(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, std::int32_t{1});
  set(CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, entry.order);
  set(CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, static_cast<std::uint16_t>(entry.cluster));
  return known ? std::optional(algo) : std::nullopt;
}

/// [rows, columns] as cuBLAS sees it, which counts by columns: its transpose.
cublasLtMatrixLayoutOpaque_t layout(std::int64_t rows, std::int64_t columns) {
  cublasLtMatrixLayoutOpaque_t turned;
  check(cublasLtMatrixLayoutInit(&turned, CUDA_R_16BF, static_cast<std::uint64_t>(columns),
                                 static_cast<std::uint64_t>(rows), columns),
        "describing a matrix to cuBLASLt");
  return turned;
}

/// False when this cuBLASLt does not know the entry's choice, or not for this shape.
bool launch(const Entry& e, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& out) {
  const c10::cuda::CUDAGuard guard(x.device());
  const cublasLtHandle_t handle = at::cuda::getCurrentCUDABlasLtHandle();
  const std::optional<cublasLtMatmulAlgo_t> algo = algorithm(handle, e);
  if (!algo) return false;
  cublasLtMatmulDescOpaque_t product;
  check(cublasLtMatmulDescInit(&product, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing a product to cuBLASLt");
  const cublasOperation_t turned = CUBLAS_OP_T;
  check(cublasLtMatmulDescSetAttribute(&product, CUBLASLT_MATMUL_DESC_TRANSA, &turned, sizeof turned),
        "describing a product to cuBLASLt");
  cublasLtMatrixLayoutOpaque_t weights = layout(e.out, e.in), inputs = layout(e.rows, e.in),
                               outputs = layout(e.rows, e.out);
  const float one = 1, zero = 0;
  const cublasStatus_t status =
      cublasLtMatmul(handle, &product, &one, weight.data_ptr(), &weights, x.data_ptr(), &inputs, &zero, out.data_ptr(),
                     &outputs, out.data_ptr(), &outputs, &*algo, /*workspace=*/nullptr, /*workspaceSizeInBytes=*/0,
                     c10::cuda::getCurrentCUDAStream().stream());
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return false;
  check(status, "a product of cuBLASLt");
  return true;
}

}  // namespace

at::Tensor product(const at::Tensor& x, const at::Tensor& weight) {
  if (const Entry* const entry = find_entry(x, weight)) {
    const at::Tensor out = at::empty({entry->rows, entry->out}, x.options());
    if (launch(*entry, x, weight, out)) return out;
  }
  return at::linear(x, weight);
}

std::vector<ProductShape> measured_products() {
  std::vector<ProductShape> shapes;
  for (const Entry& e : kTable) shapes.push_back({e.rows, e.out, e.in});
  return shapes;
}

}  // namespace trireme::kernels
