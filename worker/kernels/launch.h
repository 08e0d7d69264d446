#pragma once
// What the .cu files offer to the .cpp beside each: kernels enqueued on `stream`, raw pointers to device memory. Every
// pointer is 16-byte aligned and every stride in elements a multiple of eight; the .cpp has checked that, else it takes
// the plain path. Sums have a fixed order: no atomics, nothing depends on the order in which blocks run.

#include <cuda_runtime_api.h>

#include <cstdint>

#include "worker/kernels/attention_shares.h"

namespace trireme::kernels {

/// How many tiles hold `size`.
constexpr int tiles_of(int size, int tile) { return (size + tile - 1) / tile; }

enum class Element { float32, bfloat16 };

/// y = the norm of x, times the gate; sum = residual + y; norm = the norm of the sum, times the scale. What has a null
/// weight is left out: without `weight` y is x, without `next_weight` there is no norm behind the sum, and without
/// `residual` there is nothing but that.
struct RowNormLaunch {
  const void* x;            // [rows, dim]
  const void* weight;       // [dim]
  const void* gate;         // [dim], or null
  const void* residual;     // [rows, dim]
  void* sum;                // [rows, dim]
  const void* next_weight;  // [dim]
  const void* scale;        // as gate
  void* norm;               // [rows, dim]
  std::int64_t rows;
  int dim;
  float eps;
  bool one_plus;  // weights count from 1, one rounding
  bool centered;  // the mean of x is taken off first; for the norm of x alone
  int multiprocessors;
  bool staged;  // of the launch itself
};
inline constexpr int kLargestNormDim = 8192;
cudaError_t launch_row_norm(Element element, const RowNormLaunch& args, cudaStream_t stream);

struct RopeLaunch {
  void* x;               // [tokens, heads, head_dim], head_dim contiguous
  const void* weight;    // [head_dim], null: no norm
  const void* k_weight;  // [head_dim]: of heads from `first_k` on
  const float* cos;      // [tokens, head_dim / 2]
  const float* sin;
  std::int64_t tokens, token_stride, head_stride;
  int heads, first_k, head_dim;  // head_dim: a multiple of 16, at most 256
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

enum class Epilogue {
  plain,
  silu_mul,   // y = silu(gate) * up, the halves of the product
  modulation  // quarters of the product: 1 + v, tanh(v), 1 + v, tanh(v)
};
struct FewRowsLaunch {
  const void* x;         // [rows, in], a row every `x_stride` elements
  const void* weight;    // [out, in]; silu_mul: [2 * out, in]
  const void* bias;      // [out] or [2 * out], or null
  const void* residual;  // [rows, out] or null; for `plain`
  void* y;               // [rows, out]
  std::int64_t x_stride;
  int rows, out, in;  // in: a multiple of 8
  Epilogue epilogue;
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

/// Of builds with CUTLASS, on capability 9.0; else cudaErrorNotSupported.
struct GatedProductLaunch {
  const void* x;       // [rows, in] bfloat16
  const void* weight;  // [2 * dim, in], its rows as pair_order.h says
  void* out;           // [rows, dim]
  int rows, dim, in;   // dim and in: multiples of 8
  int multiprocessors;
  std::size_t tile;       // of kGatedTiles
  int clusters_together;  // along the rows of x, that are walked for the whole weight; at least 1
};
cudaError_t launch_gated_product(const GatedProductLaunch& args, cudaStream_t stream);

/// Of builds with CUTLASS, on capability 9.0; else cudaErrorNotSupported. A token's heads lie side by side.
struct HopperAttentionLaunch {
  const void *q, *k, *v;                            // bfloat16 [sequences, tokens, heads, width]:
  std::int64_t q_token, k_token, v_token;           // a token every so many elements,
  std::int64_t q_sequence, k_sequence, v_sequence;  // a sequence every so many
  void* out;                                        // [sequences, queries, heads, width]
  float* partial;                                   // partials() values
  int sequences, queries, keys, heads, kv_heads, width;
  float scale;  // above 0
  int multiprocessors;

  int row_tiles() const;
  int key_tiles() const;
  AttentionShares shares() const;
  std::int64_t partials() const;
};
constexpr bool has_attention_width(std::int64_t width) { return width == 96 || width == 128; }
inline constexpr int kAttentionRows = 128;  // queries of a tile,
constexpr int attention_keys(int width) { return width == 96 ? 192 : 160; }
/// Values of a part of a tile: sums of values, then largest score and sum of weights of every row.
constexpr std::int64_t attention_part(int width) { return kAttentionRows * (width + 2); }
cudaError_t launch_hopper_attention(const HopperAttentionLaunch& args, cudaStream_t stream);
/// "": the build is without it.
const char* cutlass_version();

struct QuantiseRowsLaunch {
  const void *a, *b;  // [rows, dim]: of a, or with b of silu(a) * b
  void* values;       // [rows, dim] float8_e4m3
  float* scales;      // [rows]
  std::int64_t rows, a_stride, b_stride;
  int dim;
};
inline constexpr int kLargestFp8Dim = 12288;
inline constexpr float kLargestFp8 = 448, kSmallestFp8Row = 1e-12f;  // a row below that is zeros
cudaError_t launch_quantise_rows(Element element, const QuantiseRowsLaunch& args, cudaStream_t stream);

struct GroupNormLaunch {
  const void* x;  // [images, channels, pixels], or [images, pixels, channels] when `channels_last`
  const void *weight, *bias;
  const void* x_bias;  // [channels], added to x first; or null; channels last only
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

struct AddBiasedLaunch {        // pixels of `channels` elements, a multiple of 8
  void* a;                      // [pixels, channels]; becomes the sum
  const void* b;                // the same, or null
  const void *a_bias, *b_bias;  // [channels], or null
  std::int64_t pixels;
  int channels;
};
cudaError_t launch_add_biased(Element element, const AddBiasedLaunch& args, cudaStream_t stream);

struct SoftmaxLaunch {
  const float* scores;  // [rows, columns]
  void* out;            // [rows, columns]
  std::int64_t rows;
  int columns;  // a multiple of 8
  float scale;  // above 0
};
inline constexpr int kLargestSoftmaxRow = 32768;
cudaError_t launch_softmax(Element element, const SoftmaxLaunch& args, cudaStream_t stream);

struct JoinDoubledLaunch {
  const void* y;     // [images, height + 1, width + 1, 4, channels]
  const void* bias;  // [channels], or null
  void* out;         // [images, 2 * height, 2 * width, channels]
  std::int64_t images, height, width;
  int channels;  // a multiple of 8
};
cudaError_t launch_join_doubled(Element element, const JoinDoubledLaunch& args, cudaStream_t stream);

struct ToBytesLaunch {
  const void* image;  // [3, height, width]; any alignment
  std::uint8_t* out;  // [height, width, 3]
  std::int64_t height, width;
  std::int64_t strides[3];  // of a channel, a row, a column
};
cudaError_t launch_to_bytes(Element element, const ToBytesLaunch& args, cudaStream_t stream);

}  // namespace trireme::kernels
