#pragma once
// The rotation of half-split heads, for the kernels that turn q and k.

#include "worker/kernels/vector.cuh"

namespace trireme::kernels {

constexpr unsigned kAllLanes = 0xffffffffu;

/// Every product rounded to T, as the reference's tensors are. `lanes` of a group of `width` hold a head; the partner
/// is half of them away.
template <class T>
__device__ inline void turn_halves(Floats& x, const Floats& cos, const Floats& sin, int lane, int lanes, int width) {
  const int half = lanes / 2;
  const int partner = lane < half ? lane + half : lane - half;
  const float sign = lane < half ? -1.0f : 1.0f;
  Floats kept = rounded<T>(cos), other = rounded<T>(sin);
#pragma unroll
  for (int i = 0; i < kVector; ++i) {
    other.value[i] = sign * __shfl_sync(kAllLanes, x.value[i], partner, width) * other.value[i];
    kept.value[i] = x.value[i] * kept.value[i];
  }
  kept = rounded<T>(kept);
  other = rounded<T>(other);
#pragma unroll
  for (int i = 0; i < kVector; ++i) x.value[i] = kept.value[i] + other.value[i];
}

}  // namespace trireme::kernels
