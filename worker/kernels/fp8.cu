// One block a row, which stays in registers between the search for its largest value and the division by it.
#include <cuda_fp8.h>

#include "worker/kernels/launch.h"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

constexpr int kBlock = 512, kWarp = 32, kHeld = kLargestFp8Dim / (kBlock * kVector);

__device__ float largest_of_block(float mine) {
  __shared__ float of_warp[kBlock / kWarp];
#pragma unroll
  for (int lane = kWarp / 2; lane > 0; lane /= 2) mine = fmaxf(mine, __shfl_xor_sync(0xffffffffu, mine, lane));
  if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = mine;
  __syncthreads();
  float largest = of_warp[0];
#pragma unroll
  for (int warp = 1; warp < kBlock / kWarp; ++warp) largest = fmaxf(largest, of_warp[warp]);
  return largest;
}

/// Eight values as a tensor of T would hold them, with silu(a) rounded before the product.
template <class T, bool kGated>
__device__ Floats values_of(const T* a, const T* b) {
  if constexpr (kGated) return rounded<T>(silu_times<T>(load(a), load(b)));
  return load(a);
}

template <class T, bool kGated>
__global__ void __launch_bounds__(kBlock) quantise_rows(QuantiseRowsLaunch args) {
  const std::int64_t row = blockIdx.x;
  const T* const a = static_cast<const T*>(args.a) + row * args.a_stride;
  const T* const b = static_cast<const T*>(args.b) + row * args.b_stride;
  Floats held[kHeld];
  float largest = kSmallestFp8Row;
#pragma unroll
  for (int n = 0; n < kHeld; ++n) {
    const int at = (n * kBlock + static_cast<int>(threadIdx.x)) * kVector;
    if (at >= args.dim) break;
    held[n] = values_of<T, kGated>(a + at, b + at);
#pragma unroll
    for (int i = 0; i < kVector; ++i) largest = fmaxf(largest, fabsf(held[n].value[i]));
  }
  largest = largest_of_block(largest);
  if (threadIdx.x == 0) args.scales[row] = __fdiv_rn(largest, kLargestFp8);
  const float factor = __fdiv_rn(kLargestFp8, largest);
  auto* const values = static_cast<__nv_fp8_storage_t*>(args.values) + row * args.dim;
#pragma unroll
  for (int n = 0; n < kHeld; ++n) {
    const int at = (n * kBlock + static_cast<int>(threadIdx.x)) * kVector;
    if (at >= args.dim) break;
    unsigned words[2] = {0, 0};
#pragma unroll
    for (int i = 0; i < kVector; i += 2) {
      const float2 pair = make_float2(held[n].value[i] * factor, held[n].value[i + 1] * factor);
      const unsigned two = __nv_cvt_float2_to_fp8x2(pair, __NV_SATFINITE, __NV_E4M3);
      words[i / 4] |= two << (8 * (i % 4));
    }
    *reinterpret_cast<uint2*>(values + at) = make_uint2(words[0], words[1]);
  }
}

template <class T>
void enqueue(const QuantiseRowsLaunch& args, cudaStream_t stream) {
  auto* kernel = args.b != nullptr ? quantise_rows<T, true> : quantise_rows<T, false>;
  kernel<<<static_cast<unsigned>(args.rows), kBlock, 0, stream>>>(args);
}

}  // namespace

cudaError_t launch_quantise_rows(Element element, const QuantiseRowsLaunch& args, cudaStream_t stream) {
  element == Element::float32 ? enqueue<float>(args, stream) : enqueue<__nv_bfloat16>(args, stream);
  return cudaGetLastError();
}

}  // namespace trireme::kernels
