// One block a row, which stays in registers.
#include <cmath>

#include "worker/kernels/launch.h"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

constexpr unsigned kAll = 0xffffffffu;
constexpr int kLargestBlock = 1024;
constexpr int kPerThread = kLargestSoftmaxRow / kLargestBlock / kVector;

struct Sum {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Largest {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

/// Over the block, the same bits in every thread.
template <class Join>
__device__ float over_block(float v, float start, float* of_warp, Join join) {
  for (int offset = 16; offset > 0; offset /= 2) v = join(v, __shfl_xor_sync(kAll, v, offset));
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = v;
  __syncthreads();
  float all = start;
  for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) all = join(all, of_warp[warp]);
  return all;
}

template <class T>
__global__ void __launch_bounds__(kLargestBlock) softmax(SoftmaxLaunch a) {
  __shared__ float of_warp[2][kLargestBlock / 32];
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * a.columns;
  const int step = blockDim.x * kVector;
  Floats held[kPerThread];
  float largest = -INFINITY;
#pragma unroll
  for (int k = 0; k < kPerThread; ++k) {
    const int at = threadIdx.x * kVector + k * step;
    if (at < a.columns) held[k] = load(a.scores + row + at);
  }
#pragma unroll
  for (int k = 0; k < kPerThread; ++k) {
    if (threadIdx.x * kVector + k * step >= a.columns) continue;
#pragma unroll
    for (int i = 0; i < kVector; ++i) largest = fmaxf(largest, held[k].value[i]);
  }
  largest = over_block(largest, -INFINITY, of_warp[0], Largest{});
  float sum = 0;
#pragma unroll
  for (int k = 0; k < kPerThread; ++k) {
    if (threadIdx.x * kVector + k * step >= a.columns) continue;
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      held[k].value[i] = __expf((held[k].value[i] - largest) * a.scale);
      sum += held[k].value[i];
    }
  }
  const float inverse = 1.0f / over_block(sum, 0, of_warp[1], Sum{});
#pragma unroll
  for (int k = 0; k < kPerThread; ++k) {
    const int at = threadIdx.x * kVector + k * step;
    if (at >= a.columns) continue;
    held[k] *= inverse;
    store(static_cast<T*>(a.out) + row + at, held[k]);
  }
}

}  // namespace

cudaError_t launch_softmax(Element element, const SoftmaxLaunch& args, cudaStream_t stream) {
  auto* kernel = element == Element::float32 ? softmax<float> : softmax<__nv_bfloat16>;
  const int needed = (args.columns / kVector + kPerThread - 1) / kPerThread, threads = (needed + 31) / 32 * 32;
  kernel<<<static_cast<unsigned>(args.rows), threads, 0, stream>>>(args);
  return cudaGetLastError();
}

}  // namespace trireme::kernels
