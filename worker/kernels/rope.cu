// A head is read by a group of neighbouring lanes, eight elements each, and stays in registers: the norm needs a sum
// over the group, pairs of halves a shuffle with the lane that holds the other half.
#include "worker/kernels/launch.h"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

constexpr int kBlock = 256;
constexpr unsigned kAllLanes = 0xffffffffu;

/// (a, b) turned by the angle: a cos - b sin, b cos + a sin in float32.
__device__ void turn_adjacent(Floats& x, const float* cos, const float* sin) {
  const float4 c = *reinterpret_cast<const float4*>(cos), s = *reinterpret_cast<const float4*>(sin);
  const float cs[4] = {c.x, c.y, c.z, c.w}, sn[4] = {s.x, s.y, s.z, s.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float a = x.value[2 * i], b = x.value[2 * i + 1];
    x.value[2 * i] = a * cs[i] - b * sn[i];
    x.value[2 * i + 1] = b * cs[i] + a * sn[i];
  }
}

/// Every product rounded to T, as the reference's tensors are. `lanes` hold a head; the partner is half of them away.
template <class T>
__device__ void turn_halves(Floats& x, const float* cos, const float* sin, int lane, int lanes, int width) {
  const int half = lanes / 2;
  const int partner = lane < half ? lane + half : lane - half;
  const float sign = lane < half ? -1.0f : 1.0f;
  const Floats c = load(cos), s = load(sin);
#pragma unroll
  for (int i = 0; i < kVector; ++i) {
    const float other = __shfl_sync(kAllLanes, x.value[i], partner, width);
    const float kept = rounded<T>(x.value[i] * rounded<T>(c.value[i]));
    x.value[i] = kept + rounded<T>(sign * other * rounded<T>(s.value[i]));
  }
}

template <class T, bool adjacent, bool norm>
__global__ void rope(RopeLaunch a, int width) {  // width: lanes of a group, a power of two
  const int lane = threadIdx.x % width, lanes = a.head_dim / kVector;
  const std::int64_t index = (static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x) / width;
  const bool exists = index < a.tokens * a.heads, active = exists && lane < lanes;
  const std::int64_t token = exists ? index / a.heads : 0;
  T* const at =
      static_cast<T*>(a.x) + token * a.token_stride + (index - token * a.heads) * a.head_stride + lane * kVector;
  Floats x{};
  if (active) x = load(at);
  if (norm) {
    float squares = 0;
#pragma unroll
    for (int i = 0; i < kVector; ++i) squares += x.value[i] * x.value[i];
    for (int offset = width / 2; offset > 0; offset /= 2) squares += __shfl_xor_sync(kAllLanes, squares, offset, width);
    const float inverse = rsqrtf(squares / a.head_dim + a.eps);
    Floats w{};
    if (active) w = load(static_cast<const T*>(a.weight) + lane * kVector);
#pragma unroll
    for (int i = 0; i < kVector; ++i) x.value[i] = rounded<T>(rounded<T>(x.value[i] * inverse) * w.value[i]);
  }
  const std::int64_t row = token * (a.head_dim / 2);
  if (adjacent) {
    if (active) turn_adjacent(x, a.cos + row + lane * (kVector / 2), a.sin + row + lane * (kVector / 2));
  } else {
    // Idle lanes take part in the shuffle and read row 0, whose values they don't use.
    const int column = active ? lane % (lanes / 2) * kVector : 0;
    turn_halves<T>(x, a.cos + row + column, a.sin + row + column, lane, lanes, width);
  }
  if (active) store(at, x);
}

template <class T, bool adjacent>
void start(const RopeLaunch& a, cudaStream_t stream) {
  int width = 2;
  while (width * kVector < a.head_dim) width *= 2;
  const std::int64_t blocks = (a.tokens * a.heads * width + kBlock - 1) / kBlock;
  auto* kernel = a.weight ? rope<T, adjacent, true> : rope<T, adjacent, false>;
  kernel<<<static_cast<unsigned>(blocks), kBlock, 0, stream>>>(a, width);
}

}  // namespace

cudaError_t launch_rope(Element element, bool adjacent_pairs, const RopeLaunch& args, cudaStream_t stream) {
  if (element == Element::float32) {
    adjacent_pairs ? start<float, true>(args, stream) : start<float, false>(args, stream);
  } else {
    adjacent_pairs ? start<__nv_bfloat16, true>(args, stream) : start<__nv_bfloat16, false>(args, stream);
  }
  return cudaGetLastError();
}

}  // namespace trireme::kernels
