// One block a row.
#include "worker/kernels/launch.h"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

constexpr int kBlock = 256;

template <class T>
__global__ void silu_mul(SiluMulLaunch args) {
  const std::int64_t row = blockIdx.x;
  const T* const a = static_cast<const T*>(args.a) + row * args.a_stride;
  const T* const b = static_cast<const T*>(args.b) + row * args.b_stride;
  T* const out = static_cast<T*>(args.out) + row * args.dim;
  for (int at = threadIdx.x * kVector; at < args.dim; at += kBlock * kVector) {
    Floats left = load(a + at);
    const Floats right = load(b + at);
#pragma unroll
    for (int i = 0; i < kVector; ++i) left.value[i] = rounded<T>(silu(left.value[i])) * right.value[i];
    store(out + at, left);
  }
}

}  // namespace

cudaError_t launch_silu_mul(Element element, const SiluMulLaunch& args, cudaStream_t stream) {
  auto* kernel = element == Element::float32 ? silu_mul<float> : silu_mul<__nv_bfloat16>;
  kernel<<<static_cast<unsigned>(args.rows), kBlock, 0, stream>>>(args);
  return cudaGetLastError();
}

}  // namespace trireme::kernels
