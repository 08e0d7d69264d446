// One block a row; every thread has all its loads under way before it uses the first.
#include "worker/kernels/launch.h"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

constexpr int kLargestBlock = 512;
constexpr int kPerThread = 4;

template <class T>
__global__ void __launch_bounds__(kLargestBlock) silu_mul(SiluMulLaunch args) {
  const std::int64_t row = blockIdx.x;
  const T* const a = static_cast<const T*>(args.a) + row * args.a_stride;
  const T* const b = static_cast<const T*>(args.b) + row * args.b_stride;
  T* const out = static_cast<T*>(args.out) + row * args.dim;
  const int step = blockDim.x * kVector;
  for (int first = threadIdx.x * kVector; first < args.dim; first += kPerThread * step) {
    Raw<T> left[kPerThread], right[kPerThread];
#pragma unroll
    for (int k = 0; k < kPerThread; ++k) {
      if (first + k * step >= args.dim) continue;
      left[k] = load_raw(a + first + k * step);
      right[k] = load_raw(b + first + k * step);
    }
#pragma unroll
    for (int k = 0; k < kPerThread; ++k) {
      if (first + k * step >= args.dim) continue;
      store(out + first + k * step, silu_times<T>(floats(left[k]), floats(right[k])));
    }
  }
}

}  // namespace

cudaError_t launch_silu_mul(Element element, const SiluMulLaunch& args, cudaStream_t stream) {
  auto* kernel = element == Element::float32 ? silu_mul<float> : silu_mul<__nv_bfloat16>;
  const int needed = (args.dim / kVector + kPerThread - 1) / kPerThread;
  const int threads = needed >= kLargestBlock ? kLargestBlock : (needed + 31) / 32 * 32;
  kernel<<<static_cast<unsigned>(args.rows), threads, 0, stream>>>(args);
  return cudaGetLastError();
}

}  // namespace trireme::kernels
