// A block takes one row after the other and has the next row's loads under way while it works on this one, so memory is
// read once and never waited for. What all rows are multiplied with waits in shared memory, where each thread reads
// back what it has written itself.
#include "worker/kernels/launch.h"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

/// At once on a multiprocessor, so that enough loads are under way; what has a residual needs 128 registers.
__host__ __device__ constexpr int resident_threads(bool add) { return add ? 512 : 640; }
constexpr int kMostStaged = 40 << 10;  // bytes of a block
constexpr int kOperands = 4;

/// The sum over the block, the same bits in every thread. `warp_sums`: not that of the call before.
__device__ float block_sum(float v, float* warp_sums) {
  for (int offset = 16; offset > 0; offset /= 2) v += __shfl_xor_sync(0xffffffffu, v, offset);
  if (threadIdx.x % 32 == 0) warp_sums[threadIdx.x / 32] = v;
  __syncthreads();
  float sum = 0;
  for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) sum += warp_sums[warp];
  return sum;
}

/// A thread's vectors of a row: at threadIdx.x, and every blockDim.x vectors further.
template <class T, int vectors>
struct Own {
  Raw<T> held[vectors];

  __device__ void fetch(const void* row, int dim) {
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
      const int at = (v * blockDim.x + threadIdx.x) * kVector;
      if (at < dim) held[v] = load_raw(static_cast<const T*>(row) + at);
    }
  }
};

/// An operand of all rows, brought to shared memory if it fits; null stays null.
template <class T, int vectors>
__device__ const T* staged(const void* from, int operand, const RowNormLaunch& a) {
  extern __shared__ uint4 space[];
  const T* const source = static_cast<const T*>(from);
  if (source == nullptr || !a.staged) return source;
  T* const own = reinterpret_cast<T*>(space) + operand * a.dim;
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
    const int at = (v * blockDim.x + threadIdx.x) * kVector;
    if (at < a.dim) *reinterpret_cast<Raw<T>*>(own + at) = load_raw(source + at);
  }
  return own;
}

/// Zeros behind the end of a row.
template <class T, int vectors>
__device__ void widen(Floats (&x)[vectors], const Own<T, vectors>& row, int dim) {
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
    x[v] = {};
    if ((v * blockDim.x + threadIdx.x) * kVector < dim) x[v] = floats(row.held[v]);
  }
}

/// 1 / the root mean square of a row.
template <int vectors>
__device__ float inverse_of(const Floats (&x)[vectors], const RowNormLaunch& a, float* warp_sums) {
  float squares = 0;
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
#pragma unroll
    for (int i = 0; i < kVector; ++i) squares += x[v].value[i] * x[v].value[i];
  }
  return rsqrtf(block_sum(squares, warp_sums) / a.dim + a.eps);
}

/// x less its mean.
template <int vectors>
__device__ void center(Floats (&x)[vectors], const RowNormLaunch& a, float* warp_sums) {
  float sum = 0;
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
#pragma unroll
    for (int i = 0; i < kVector; ++i) sum += x[v].value[i];
  }
  const float mean = block_sum(sum, warp_sums) / a.dim;
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
    if ((v * blockDim.x + threadIdx.x) * kVector >= a.dim) continue;
#pragma unroll
    for (int i = 0; i < kVector; ++i) x[v].value[i] -= mean;
  }
}

/// The norm of x times the weight and, unless that is null, the factor, rounded where the reference rounds.
template <class T, int vectors>
__device__ void apply(Own<T, vectors>& norm, const Floats (&x)[vectors], float inverse, const T* weight,
                      const T* factor, const RowNormLaunch& a) {
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
    const int at = (v * blockDim.x + threadIdx.x) * kVector;
    if (at >= a.dim) continue;
    Floats y = x[v];
    y *= inverse;
    const Raw<T> own_weight = load_raw(weight + at);
    if (a.one_plus) {
      const Floats w = floats(own_weight);
#pragma unroll
      for (int i = 0; i < kVector; ++i) y.value[i] *= 1.0f + w.value[i];
      norm.held[v] = raw_of<T>(y);
    } else {
      norm.held[v] = times(raw_of<T>(y), own_weight);
    }
    if (factor != nullptr) norm.held[v] = times(norm.held[v], load_raw(factor + at));
  }
}

template <class T, int vectors>
__device__ void write(void* to, const Own<T, vectors>& row, int dim) {
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
    const int at = (v * blockDim.x + threadIdx.x) * kVector;
    if (at < dim) store(static_cast<T*>(to) + at, row.held[v]);
  }
}

/// What is done to a row of x: it is normed and gated (inner), a residual is added (add), the result is written and its
/// norm made (outer).
template <class T, int vectors, int threads, bool inner, bool add, bool outer>
__global__ void __launch_bounds__(threads, resident_threads(add) / threads) row_norm(RowNormLaunch a) {
  __shared__ float warp_sums[2][threads / 32];
  const auto row_of = [&](const void* matrix, std::int64_t row) { return static_cast<const T*>(matrix) + row * a.dim; };
  Own<T, vectors> next_x, next_residual;
  next_x.fetch(row_of(a.x, blockIdx.x), a.dim);
  if (add) next_residual.fetch(row_of(a.residual, blockIdx.x), a.dim);

  const T* const weight = inner ? staged<T, vectors>(a.weight, 0, a) : nullptr;
  const T* const next_weight = outer ? staged<T, vectors>(a.next_weight, 1, a) : nullptr;
  const T* const gate = inner ? staged<T, vectors>(a.gate, 2, a) : nullptr;
  const T* const scale = outer ? staged<T, vectors>(a.scale, 3, a) : nullptr;
  int turn = 0;  // of the sums
  for (std::int64_t row = blockIdx.x; row < a.rows; row += gridDim.x) {
    Own<T, vectors> held = next_x;
    const Own<T, vectors> residual = next_residual;
    if (row + gridDim.x < a.rows) {
      next_x.fetch(row_of(a.x, row + gridDim.x), a.dim);
      if (add) next_residual.fetch(row_of(a.residual, row + gridDim.x), a.dim);
    }
    Floats x[vectors];
    if (inner) {
      widen(x, held, a.dim);
      apply(held, x, inverse_of(x, a, warp_sums[turn]), weight, gate, a);
      turn ^= 1;
    }
    if (add) {
#pragma unroll
      for (int v = 0; v < vectors; ++v) {
        if ((v * blockDim.x + threadIdx.x) * kVector < a.dim) held.held[v] = plus(held.held[v], residual.held[v]);
      }
      write(static_cast<T*>(a.sum) + row * a.dim, held, a.dim);
    }
    if (outer) {
      widen(x, held, a.dim);
      if (!add && a.centered) {
        center(x, a, warp_sums[turn]);
        turn ^= 1;
      }
      apply(held, x, inverse_of(x, a, warp_sums[turn]), next_weight, scale, a);
      turn ^= 1;
      write(static_cast<T*>(a.norm) + row * a.dim, held, a.dim);
    }
  }
}

template <class T, int vectors, int most>
void start(RowNormLaunch a, int threads, cudaStream_t stream) {
  const bool inner = a.weight != nullptr, add = a.residual != nullptr, outer = a.next_weight != nullptr;
  auto* kernel = row_norm<T, vectors, most, false, false, true>;
  if (inner && add) {
    kernel = outer ? row_norm<T, vectors, most, true, true, true> : row_norm<T, vectors, most, true, true, false>;
  }
  if (!inner && add) kernel = row_norm<T, vectors, most, false, true, true>;
  const std::int64_t bytes = static_cast<std::int64_t>(kOperands * sizeof(T)) * a.dim;
  a.staged = bytes <= kMostStaged;
  const std::int64_t resident = static_cast<std::int64_t>(a.multiprocessors) * (resident_threads(add) / threads);
  const unsigned blocks = static_cast<unsigned>(a.rows < resident ? a.rows : resident);
  kernel<<<blocks, threads, a.staged ? static_cast<unsigned>(bytes) : 0u, stream>>>(a);
}

template <class T>
void start(const RowNormLaunch& a, cudaStream_t stream) {
  const int needed = a.dim / kVector;
  const int per_thread = needed <= 64 ? 1 : needed <= 256 ? 2 : needed <= 288 ? 3 : 4;  // 2304 columns are 3 * 96
  const int threads = ((needed + per_thread - 1) / per_thread + 31) / 32 * 32;
  if (per_thread == 1) return start<T, 1, 64>(a, threads, stream);
  if (per_thread == 2) return start<T, 2, 128>(a, threads, stream);
  if (per_thread == 3) return start<T, 3, 96>(a, threads, stream);
  if (threads <= 128) return start<T, 4, 128>(a, threads, stream);
  start<T, 4, 256>(a, threads, stream);
}

}  // namespace

cudaError_t launch_row_norm(Element element, const RowNormLaunch& args, cudaStream_t stream) {
  element == Element::float32 ? start<float>(args, stream) : start<__nv_bfloat16>(args, stream);
  return cudaGetLastError();
}

}  // namespace trireme::kernels
