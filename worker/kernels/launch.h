#pragma once
// What the .cu files offer to the .cpp beside each: kernels enqueued on `stream`, raw pointers to device memory. Every
// pointer is 16-byte aligned and every stride in elements a multiple of eight; the .cpp has checked that, else it takes
// the plain path. Sums have a fixed order: no atomics, nothing depends on the order in which blocks run.

#include <cuda_runtime_api.h>

#include <cstdint>

namespace trireme::kernels {

enum class Element { float32, bfloat16 };

enum class RowNorm { plain, modulated, one_plus, add, gated_add };

struct RowNormLaunch {
  const void* x;         // [rows, dim]
  const void* weight;    // [dim]
  const void* vector;    // [dim]: modulation or gate
  const void* residual;  // [rows, dim]
  void* out;             // [rows, dim]
  std::int64_t rows;
  int dim;
  float eps;
};
inline constexpr int kLargestNormDim = 16384;
cudaError_t launch_row_norm(Element element, RowNorm kind, const RowNormLaunch& args, cudaStream_t stream);

struct RopeLaunch {
  void* x;             // [tokens, heads, head_dim], head_dim contiguous
  const void* weight;  // [head_dim], null: no norm
  const float* cos;    // [tokens, head_dim / 2]
  const float* sin;
  std::int64_t tokens, token_stride, head_stride;
  int heads, head_dim;  // head_dim: a multiple of 16, at most 256
  float eps;
};
inline constexpr int kLargestRopeHeadDim = 256;
cudaError_t launch_rope(Element element, bool adjacent_pairs, const RopeLaunch& args, cudaStream_t stream);

struct SiluMulLaunch {
  const void *a, *b;  // [rows, dim]
  void* out;          // [rows, dim] contiguous
  std::int64_t rows, a_stride, b_stride;
  int dim;
};
cudaError_t launch_silu_mul(Element element, const SiluMulLaunch& args, cudaStream_t stream);

struct GroupNormLaunch {
  const void* x;  // [images, channels, pixels], or [images, pixels, channels] when `channels_last`
  const void *weight, *bias;
  void* out;
  double* partial;     // group_norm_partials(...) values
  float* scale_shift;  // [images, 2, channels]
  std::int64_t pixels;
  int images, channels, groups;
  float eps;
  bool channels_last, silu;
};
std::int64_t group_norm_partials(const GroupNormLaunch& args);
inline constexpr int kLargestGroupNormChannels = 2048;
cudaError_t launch_group_norm(Element element, const GroupNormLaunch& args, cudaStream_t stream);

}  // namespace trireme::kernels
