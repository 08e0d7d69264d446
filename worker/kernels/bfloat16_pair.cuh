#pragma once
// Two values of bfloat16 in a word.

#include <cuda_bf16.h>

namespace trireme::kernels {

/// Rounded to bfloat16, the first in the lower half: one instruction, where single conversions would be two slow ones.
__device__ inline unsigned packed(float low, float high) {
  const __nv_bfloat162 two = __floats2bfloat162_rn(low, high);
  return reinterpret_cast<const unsigned&>(two);
}
__device__ inline float low(unsigned two) { return __uint_as_float(two << 16); }
__device__ inline float high(unsigned two) { return __uint_as_float(two & 0xffff0000u); }

}  // namespace trireme::kernels
