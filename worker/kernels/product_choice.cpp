#include "worker/kernels/product_choice.h"

#include <ATen/cuda/CUDAContext.h>

#include <optional>

#include "worker/kernels/call.h"

namespace trireme::kernels {
namespace {

constexpr int kHopperProducts = 66;  // cuBLASLt's id of its kernels for capability 9.0, of which choices are variants

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(ExitCode::unavailable, std::string(what) + " failed: " + cublasLtGetStatusString(status));
}

std::optional<cublasLtMatmulAlgo_t> algorithm(cublasLtHandle_t handle, const ProductChoice& choice) {
  cublasLtMatmulAlgo_t algo;
  bool known = cublasLtMatmulAlgoInit(handle, CUBLAS_COMPUTE_32F, CUDA_R_32F, CUDA_R_16BF, CUDA_R_16BF, CUDA_R_16BF,
                                      CUDA_R_16BF, kHopperProducts, &algo) == CUBLAS_STATUS_SUCCESS;
  const auto set = [&](cublasLtMatmulAlgoConfigAttributes_t attribute, auto value) {
    known =
        known && cublasLtMatmulAlgoConfigSetAttribute(&algo, attribute, &value, sizeof value) == CUBLAS_STATUS_SUCCESS;
  };
  set(CUBLASLT_ALGO_CONFIG_TILE_ID, static_cast<std::uint32_t>(choice.tile));
  set(CUBLASLT_ALGO_CONFIG_STAGES_ID, static_cast<std::uint32_t>(CUBLASLT_MATMUL_STAGES_64xAUTO));
  set(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, std::int32_t{1});
  set(CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, choice.order);
  set(CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, static_cast<std::uint16_t>(choice.cluster));
  return known ? std::optional(algo) : std::nullopt;
}

/// As cuBLAS sees it, which counts by columns: the transpose.
cublasLtMatrixLayoutOpaque_t layout(const at::Tensor& matrix) {
  cublasLtMatrixLayoutOpaque_t turned;
  check(cublasLtMatrixLayoutInit(&turned, CUDA_R_16BF, static_cast<std::uint64_t>(matrix.size(1)),
                                 static_cast<std::uint64_t>(matrix.size(0)), matrix.size(1)),
        "describing a matrix to cuBLASLt");
  return turned;
}

}  // namespace

bool multiply(const ProductChoice& choice, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& out) {
  const c10::cuda::CUDAGuard guard(x.device());
  const cublasLtHandle_t handle = at::cuda::getCurrentCUDABlasLtHandle();
  const std::optional<cublasLtMatmulAlgo_t> algo = algorithm(handle, choice);
  if (!algo) return false;
  cublasLtMatmulDescOpaque_t product;
  check(cublasLtMatmulDescInit(&product, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing a product to cuBLASLt");
  const cublasOperation_t turned = CUBLAS_OP_T;
  check(cublasLtMatmulDescSetAttribute(&product, CUBLASLT_MATMUL_DESC_TRANSA, &turned, sizeof turned),
        "describing a product to cuBLASLt");
  cublasLtMatrixLayoutOpaque_t weights = layout(weight), inputs = layout(x), outputs = layout(out);
  const float one = 1, zero = 0;
  const cublasStatus_t status =
      cublasLtMatmul(handle, &product, &one, weight.data_ptr(), &weights, x.data_ptr(), &inputs, &zero, out.data_ptr(),
                     &outputs, out.data_ptr(), &outputs, &*algo, /*workspace=*/nullptr, /*workspaceSizeInBytes=*/0,
                     c10::cuda::getCurrentCUDAStream().stream());
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) return false;
  check(status, "a product of cuBLASLt");
  return true;
}

}  // namespace trireme::kernels
