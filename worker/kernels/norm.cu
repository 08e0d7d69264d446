// One block a row. All that a row needs is loaded before the first sum, and the row stays in registers, so memory is
// read once and never waited for twice.
#include "worker/kernels/launch.h"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

constexpr int kLargestBlock = 512;

/// The sum over the block, the same bits in every thread. `warp_sums`: of this call alone.
__device__ float block_sum(float v, float* warp_sums) {
  for (int offset = 16; offset > 0; offset /= 2) v += __shfl_xor_sync(0xffffffffu, v, offset);
  if (threadIdx.x % 32 == 0) warp_sums[threadIdx.x / 32] = v;
  __syncthreads();
  float sum = 0;
  for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) sum += warp_sums[warp];
  return sum;
}

/// A vector that rows are multiplied with: none where `at` is null.
template <class T, int vectors>
struct Operand {
  Raw<T> held[vectors];
  bool present;

  __device__ void fetch(const void* at, std::int64_t first, int dim) {
    present = at != nullptr;
    if (!present) return;
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
      const int i = (v * blockDim.x + threadIdx.x) * kVector;
      if (i < dim) held[v] = load_raw(static_cast<const T*>(at) + first + i);
    }
  }
};

/// The norm of `x` times the weight, where the reference rounds.
template <class T>
__device__ float normed(float x, float inverse, float weight, bool one_plus) {
  return one_plus ? rounded<T>(x * inverse * (1.0f + weight)) : rounded<T>(rounded<T>(x * inverse) * weight);
}

/// x in registers -> 1 / its root mean square.
template <class T, int vectors>
__device__ float inverse_of(const Floats (&x)[vectors], int dim, float eps, float* warp_sums) {
  float squares = 0;
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
#pragma unroll
    for (int i = 0; i < kVector; ++i) squares += x[v].value[i] * x[v].value[i];
  }
  return rsqrtf(block_sum(squares, warp_sums) / dim + eps);
}

/// What is done to a row of x: it is normed and gated (inner), a residual is added (add), the result is written and its
/// norm made (outer).
template <class T, int vectors, bool inner, bool add, bool outer>
__global__ void __launch_bounds__(kLargestBlock) row_norm(RowNormLaunch a) {
  __shared__ float warp_sums[2][kLargestBlock / 32];
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * a.dim;
  const std::int64_t whose = a.of_row != nullptr ? static_cast<std::int64_t>(a.of_row[blockIdx.x]) * a.stride : 0;
  Operand<T, vectors> raw_x, residual, weight, gate, next_weight, scale;
  raw_x.fetch(a.x, row, a.dim);
  if (add) residual.fetch(a.residual, row, a.dim);
  if (inner) weight.fetch(a.weight, 0, a.dim);
  if (inner) gate.fetch(a.gate, whose, a.dim);
  if (outer) next_weight.fetch(a.next_weight, 0, a.dim);
  if (outer) scale.fetch(a.scale, whose, a.dim);

  Floats x[vectors];
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
    x[v] = {};
    if ((v * blockDim.x + threadIdx.x) * kVector < a.dim) x[v] = floats(raw_x.held[v]);
  }
  float inverse = inner ? inverse_of<T>(x, a.dim, a.eps, warp_sums[0]) : 0;
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
    const int at = (v * blockDim.x + threadIdx.x) * kVector;
    if (!(inner || add) || at >= a.dim) continue;
    if (inner) {
      const Floats w = floats(weight.held[v]);
#pragma unroll
      for (int i = 0; i < kVector; ++i) x[v].value[i] = normed<T>(x[v].value[i], inverse, w.value[i], a.one_plus);
      if (gate.present) {
        const Floats g = floats(gate.held[v]);
#pragma unroll
        for (int i = 0; i < kVector; ++i) x[v].value[i] = rounded<T>(x[v].value[i] * g.value[i]);
      }
    }
    if (add) {
      const Floats r = floats(residual.held[v]);
#pragma unroll
      for (int i = 0; i < kVector; ++i) x[v].value[i] = rounded<T>(r.value[i] + x[v].value[i]);
    }
    store(static_cast<T*>(a.sum) + row + at, x[v]);
  }
  if (!outer) return;

  inverse = inverse_of<T>(x, a.dim, a.eps, warp_sums[1]);
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
    const int at = (v * blockDim.x + threadIdx.x) * kVector;
    if (at >= a.dim) continue;
    const Floats w = floats(next_weight.held[v]);
#pragma unroll
    for (int i = 0; i < kVector; ++i) x[v].value[i] = normed<T>(x[v].value[i], inverse, w.value[i], a.one_plus);
    if (scale.present) {
      const Floats s = floats(scale.held[v]);
#pragma unroll
      for (int i = 0; i < kVector; ++i) x[v].value[i] *= s.value[i];
    }
    store(static_cast<T*>(a.norm) + row + at, x[v]);
  }
}

template <class T, int vectors>
void start(const RowNormLaunch& a, int threads, cudaStream_t stream) {
  const bool inner = a.weight != nullptr, add = a.residual != nullptr, outer = a.next_weight != nullptr;
  auto* kernel = row_norm<T, vectors, false, false, true>;
  if (inner && add) kernel = outer ? row_norm<T, vectors, true, true, true> : row_norm<T, vectors, true, true, false>;
  if (!inner && add) kernel = row_norm<T, vectors, false, true, true>;
  kernel<<<static_cast<unsigned>(a.rows), threads, 0, stream>>>(a);
}

template <class T>
void start(const RowNormLaunch& a, cudaStream_t stream) {
  const int needed = a.dim / kVector;
  const int per_thread = needed <= 64 ? 1 : needed <= 256 ? 2 : 4;
  const int threads = ((needed + per_thread - 1) / per_thread + 31) / 32 * 32;
  if (per_thread == 1) return start<T, 1>(a, threads, stream);
  if (per_thread == 2) return start<T, 2>(a, threads, stream);
  start<T, 4>(a, threads, stream);
}

}  // namespace

cudaError_t launch_row_norm(Element element, const RowNormLaunch& args, cudaStream_t stream) {
  element == Element::float32 ? start<float>(args, stream) : start<__nv_bfloat16>(args, stream);
  return cudaGetLastError();
}

}  // namespace trireme::kernels
