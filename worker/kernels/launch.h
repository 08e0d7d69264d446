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
enum class Rotation { adjacent, halves, halves_float32 };
cudaError_t launch_rope(Element element, Rotation rotation, const RopeLaunch& args, cudaStream_t stream);

struct RopeAppendLaunch {
  void* qkv;         // [sequences, heads + 2 * kv_heads, head_dim], a sequence every `stride` elements
  const float* cos;  // [positions, head_dim / 2]
  const float* sin;
  const int* position;  // [sequences]: row of the table
  const int* length;    // [sequences]: row of the cache
  void *keys, *values;  // [sequences, kv_heads, capacity, head_dim]
  std::int64_t sequences, stride, capacity;
  int heads, kv_heads, head_dim;  // head_dim: a multiple of 16, at most 256
};
cudaError_t launch_rope_append(Element element, const RopeAppendLaunch& args, cudaStream_t stream);

struct DecodeAttentionLaunch {
  const void* q;              // [sequences, heads, head_dim], a sequence every `q_stride` elements
  const void *keys, *values;  // [sequences, kv_heads, capacity, head_dim]
  const int* length;          // [sequences]: keys 0 to length, both included, are seen
  float* partial;             // [sequences, heads, splits, head_dim]
  float* partial_sums;        // [sequences, heads, splits, 2]
  void* out;                  // [sequences, heads, head_dim]
  std::int64_t sequences, q_stride, capacity;
  int heads, kv_heads, head_dim;  // head_dim: a multiple of 8, at most 256; heads / kv_heads: at most 8
  float scale;
};
inline constexpr int kLargestDecodeHeadDim = 256, kLargestDecodeGroup = 8;
inline constexpr int kKeysPerSplit = 64;
cudaError_t launch_decode_attention(Element element, const DecodeAttentionLaunch& args, cudaStream_t stream);

struct FewRowsLaunch {
  const void* x;         // [rows, in], a row every `x_stride` elements
  const void* weight;    // [out, in]; gated: [2 * out, in]
  const void* bias;      // [out] or [2 * out], or null
  const void* residual;  // [rows, out] or null; not when gated
  void* y;               // [rows, out]
  std::int64_t x_stride;
  int rows, out, in;  // in: a multiple of 8
  bool gated;         // y = silu(gate) * up
};
inline constexpr int kMostFewRows = 4;
cudaError_t launch_few_rows(Element element, const FewRowsLaunch& args, cudaStream_t stream);

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
