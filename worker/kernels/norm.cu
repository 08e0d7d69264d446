// A block takes one row after the other and has the next row's loads under way while it works on this one, so memory is
// read once and never waited for. What all rows are multiplied with waits in shared memory, where each thread reads
// back what it has written itself.
#include "worker/kernels/launch.h"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

/// At once on a multiprocessor, so that enough loads are under way; what has a residual needs 128 registers.
__host__ __device__ constexpr int resident_threads(bool add) { return add ? 512 : 768; }
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

/// The norm of `x` times the weight, where the reference rounds.
template <class T>
__device__ Floats normed(Floats x, float inverse, const Floats& weight, bool one_plus) {
  x *= inverse;
  if (!one_plus) x = rounded<T>(x);
#pragma unroll
  for (int i = 0; i < kVector; ++i) x.value[i] *= one_plus ? 1.0f + weight.value[i] : weight.value[i];
  return rounded<T>(x);
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

/// x becomes its norm, times the factor unless that is null: not rounded after the factor.
template <class T, int vectors>
__device__ void apply(Floats (&x)[vectors], float inverse, const T* weight, const T* factor, const RowNormLaunch& a) {
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
    const int at = (v * blockDim.x + threadIdx.x) * kVector;
    if (at >= a.dim) continue;
    x[v] = normed<T>(x[v], inverse, load(weight + at), a.one_plus);
    if (factor != nullptr) x[v] *= load(factor + at);
  }
}

template <class T, int vectors>
__device__ void write(void* to, const Floats (&x)[vectors], int dim) {
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
    const int at = (v * blockDim.x + threadIdx.x) * kVector;
    if (at < dim) store(static_cast<T*>(to) + at, x[v]);
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
    Floats x[vectors];
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
      x[v] = {};
      if ((v * blockDim.x + threadIdx.x) * kVector < a.dim) x[v] = floats(next_x.held[v]);
    }
    const Own<T, vectors> residual = next_residual;
    if (row + gridDim.x < a.rows) {
      next_x.fetch(row_of(a.x, row + gridDim.x), a.dim);
      if (add) next_residual.fetch(row_of(a.residual, row + gridDim.x), a.dim);
    }
    if (inner) {
      apply<T>(x, inverse_of(x, a, warp_sums[turn]), weight, gate, a);
      turn ^= 1;
    }
    if (add) {
#pragma unroll
      for (int v = 0; v < vectors; ++v) {
        if ((v * blockDim.x + threadIdx.x) * kVector >= a.dim) continue;
        const Floats r = floats(residual.held[v]);
        if (inner) x[v] = rounded<T>(x[v]);
        x[v] += r;
        x[v] = rounded<T>(x[v]);
      }
      write<T>(static_cast<T*>(a.sum) + row * a.dim, x, a.dim);
    }
    if (!inner && !add && a.centered) {
      center(x, a, warp_sums[turn]);
      turn ^= 1;
    }
    if (outer) {
      apply<T>(x, inverse_of(x, a, warp_sums[turn]), next_weight, scale, a);
      turn ^= 1;
      write<T>(static_cast<T*>(a.norm) + row * a.dim, x, a.dim);
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
