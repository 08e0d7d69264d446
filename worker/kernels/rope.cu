// A head is read by a group of neighbouring lanes, eight elements each, and stays in registers: the norm needs a sum
// over the group, pairs of halves a shuffle with the lane that holds the other half.
#include <type_traits>

#include "worker/kernels/launch.h"
#include "worker/kernels/turn.cuh"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

constexpr int kBlock = 256;

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

template <class T, Rotation rotation, bool norm>
__global__ void rope(RopeLaunch a, int width) {  // width: lanes of a group, a power of two
  const int lane = threadIdx.x % width, lanes = a.head_dim / kVector;
  const unsigned index = blockIdx.x * (kBlock / width) + threadIdx.x / width;  // of a head: fewer than 2^32
  const bool exists = index < static_cast<unsigned>(a.tokens) * a.heads, active = exists && lane < lanes;
  const unsigned row_of = exists ? index / a.heads : 0, head = exists ? index % a.heads : 0;
  const std::int64_t token = row_of;
  T* const at = static_cast<T*>(a.x) + token * a.token_stride + head * a.head_stride + lane * kVector;
  Floats x{};
  if (active) x = load(at);
  if (norm) {
    float squares = 0;
#pragma unroll
    for (int i = 0; i < kVector; ++i) squares += x.value[i] * x.value[i];
    for (int offset = width / 2; offset > 0; offset /= 2) squares += __shfl_xor_sync(kAllLanes, squares, offset, width);
    const float inverse = rsqrtf(squares / a.head_dim + a.eps);
    Floats w{};
    const void* const weight = static_cast<int>(head) < a.first_k ? a.weight : a.k_weight;
    if (active) w = load(static_cast<const T*>(weight) + lane * kVector);
#pragma unroll
    for (int i = 0; i < kVector; ++i) x.value[i] = rounded<T>(rounded<T>(x.value[i] * inverse) * w.value[i]);
  }
  const std::int64_t row = token * (a.head_dim / 2);
  if (rotation == Rotation::adjacent) {
    if (active) turn_adjacent(x, a.cos + row + lane * (kVector / 2), a.sin + row + lane * (kVector / 2));
  } else {
    // Idle lanes take part in the shuffle and read row 0, whose values they don't use.
    const int column = active ? lane % (lanes / 2) * kVector : 0;
    using Round = std::conditional_t<rotation == Rotation::halves, T, float>;
    turn_halves<Round>(x, a.cos + row + column, a.sin + row + column, lane, lanes, width);
  }
  if (active) store(at, x);
}

template <class T, Rotation rotation>
void start(const RopeLaunch& a, cudaStream_t stream) {
  int width = 2;
  while (width * kVector < a.head_dim) width *= 2;
  const std::int64_t blocks = (a.tokens * a.heads * width + kBlock - 1) / kBlock;
  auto* kernel = a.weight ? rope<T, rotation, true> : rope<T, rotation, false>;
  kernel<<<static_cast<unsigned>(blocks), kBlock, 0, stream>>>(a, width);
}

template <class T>
void start(Rotation rotation, const RopeLaunch& a, cudaStream_t stream) {
  switch (rotation) {
    case Rotation::adjacent: return start<T, Rotation::adjacent>(a, stream);
    case Rotation::halves: return start<T, Rotation::halves>(a, stream);
    case Rotation::halves_float32: return start<T, Rotation::halves_float32>(a, stream);
  }
}

}  // namespace

cudaError_t launch_rope(Element element, Rotation rotation, const RopeLaunch& args, cudaStream_t stream) {
  if (element == Element::float32) {
    start<float>(rotation, args, stream);
  } else {
    start<__nv_bfloat16>(rotation, args, stream);
  }
  return cudaGetLastError();
}

}  // namespace trireme::kernels
