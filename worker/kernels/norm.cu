// One block a row; a row stays in registers between the statistics and the product, so memory is read once.
#include "worker/kernels/launch.h"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

constexpr int kLargestBlock = 512;

/// The sum over the block, the same bits in every thread.
__device__ float block_sum(float v) {
  __shared__ float warp_sums[kLargestBlock / 32];
  for (int offset = 16; offset > 0; offset /= 2) v += __shfl_xor_sync(0xffffffffu, v, offset);
  if (threadIdx.x % 32 == 0) warp_sums[threadIdx.x / 32] = v;
  __syncthreads();
  float sum = 0;
  for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) sum += warp_sums[warp];
  return sum;
}

template <class T, RowNorm kind>
__device__ float finish(float x, float inverse, float weight, float vector, float residual) {
  if (kind == RowNorm::one_plus) return x * inverse * (1.0f + weight);
  float y = rounded<T>(rounded<T>(x * inverse) * weight);
  if (kind == RowNorm::modulated) y = y * rounded<T>(1.0f + vector);
  if (kind == RowNorm::gated_add) y = rounded<T>(y * rounded<T>(tanhf(vector)));
  if (kind == RowNorm::add || kind == RowNorm::gated_add) y = y + residual;
  return y;
}

template <class T, RowNorm kind, int vectors>
__global__ void row_norm(const T* __restrict__ x, const T* __restrict__ weight, const T* __restrict__ vector,
                         const T* __restrict__ residual, T* __restrict__ out, int dim, float eps) {
  constexpr bool has_vector = kind == RowNorm::modulated || kind == RowNorm::gated_add;
  constexpr bool has_residual = kind == RowNorm::add || kind == RowNorm::gated_add;
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * dim;
  Floats held[vectors];
  float squares = 0;
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
    const int at = (v * blockDim.x + threadIdx.x) * kVector;
    if (at >= dim) continue;
    held[v] = load(x + row + at);
#pragma unroll
    for (int i = 0; i < kVector; ++i) squares += held[v].value[i] * held[v].value[i];
  }
  const float inverse = rsqrtf(block_sum(squares) / dim + eps);
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
    const int at = (v * blockDim.x + threadIdx.x) * kVector;
    if (at >= dim) continue;
    const Floats w = load(weight + at);
    Floats extra{}, base{}, result;
    if (has_vector) extra = load(vector + at);
    if (has_residual) base = load(residual + row + at);
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      result.value[i] = finish<T, kind>(held[v].value[i], inverse, w.value[i], extra.value[i], base.value[i]);
    }
    store(out + row + at, result);
  }
}

template <class T, RowNorm kind>
void start(const RowNormLaunch& a, cudaStream_t stream) {
  const int needed = a.dim / kVector;
  const int per_thread = needed <= kLargestBlock ? 1 : needed <= 2 * kLargestBlock ? 2 : 4;
  const int threads = ((needed + per_thread - 1) / per_thread + 31) / 32 * 32;
  auto* kernel = per_thread == 1 ? row_norm<T, kind, 1> : per_thread == 2 ? row_norm<T, kind, 2> : row_norm<T, kind, 4>;
  kernel<<<static_cast<unsigned>(a.rows), threads, 0, stream>>>(
      static_cast<const T*>(a.x), static_cast<const T*>(a.weight), static_cast<const T*>(a.vector),
      static_cast<const T*>(a.residual), static_cast<T*>(a.out), a.dim, a.eps);
}

template <class T>
void start(RowNorm kind, const RowNormLaunch& a, cudaStream_t stream) {
  switch (kind) {
    case RowNorm::plain: return start<T, RowNorm::plain>(a, stream);
    case RowNorm::modulated: return start<T, RowNorm::modulated>(a, stream);
    case RowNorm::one_plus: return start<T, RowNorm::one_plus>(a, stream);
    case RowNorm::add: return start<T, RowNorm::add>(a, stream);
    case RowNorm::gated_add: return start<T, RowNorm::gated_add>(a, stream);
  }
}

}  // namespace

cudaError_t launch_row_norm(Element element, RowNorm kind, const RowNormLaunch& args, cudaStream_t stream) {
  if (element == Element::float32) {
    start<float>(kind, args, stream);
  } else {
    start<__nv_bfloat16>(kind, args, stream);
  }
  return cudaGetLastError();
}

}  // namespace trireme::kernels
