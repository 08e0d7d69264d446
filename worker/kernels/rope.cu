// A head is read by a group of neighbouring lanes, eight elements each, and stays in registers: the norm needs a sum
// over the group, pairs of halves a shuffle with the lane that holds the other half. A group has all its loads under
// way before it uses the first.
#include <type_traits>

#include "worker/kernels/launch.h"
#include "worker/kernels/turn.cuh"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

constexpr int kBlock = 256;

constexpr int kHeads = 4;  // of one token that a group of lanes turns: they share the angles

/// What a lane needs of the table: 4 angles of its adjacent pairs, or 8 of its halves.
struct Angles {
  Floats cos, sin;
};

/// (a, b) turned by the angle: a cos - b sin, b cos + a sin in float32.
__device__ void turn_adjacent(Floats& x, const Angles& angles) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float a = x.value[2 * i], b = x.value[2 * i + 1];
    x.value[2 * i] = a * angles.cos.value[i] - b * angles.sin.value[i];
    x.value[2 * i + 1] = b * angles.cos.value[i] + a * angles.sin.value[i];
  }
}

__device__ Floats four(const float* from) {
  const float4 v = *reinterpret_cast<const float4*>(from);
  return {{v.x, v.y, v.z, v.w, 0, 0, 0, 0}};
}

/// A group of `width` lanes, a power of two, takes kHeads neighbouring heads of a token; `groups` of them a token. A
/// lane holds `vectors` of a head, `width` of them apart.
template <class T, Rotation rotation, bool norm, int vectors>
__global__ void __launch_bounds__(kBlock) rope(RopeLaunch a, int width, int groups) {
  const int lane = threadIdx.x % width, lanes = a.head_dim / (kVector * vectors);
  const unsigned index = blockIdx.x * (kBlock / width) + threadIdx.x / width;
  const std::int64_t token = index / groups;
  const int first = static_cast<int>(index % groups) * kHeads;
  const bool active = token < a.tokens && lane < lanes;
  const int apart = width * kVector;
  T* const own = static_cast<T*>(a.x) + token * a.token_stride + first * a.head_stride + lane * kVector;
  Raw<T> raw[kHeads][vectors];
#pragma unroll
  for (int h = 0; h < kHeads; ++h) {
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
      if (active && first + h < a.heads) raw[h][v] = load_raw(own + h * a.head_stride + v * apart);
    }
  }
  // Idle lanes take part in the shuffles and read row 0, whose values they don't use.
  constexpr bool adjacent = rotation == Rotation::adjacent;
  static_assert(adjacent || vectors == 1, "halves are turned by lanes");
  const int column = active ? (adjacent ? lane * (kVector / 2) : lane % (lanes / 2) * kVector) : 0;
  const std::int64_t at = (active ? token : 0) * (a.head_dim / 2) + column;
  Angles angles[vectors];
  Raw<T> q_weight[vectors]{}, k_weight[vectors]{};
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
    const std::int64_t from = at + v * (apart / 2);
    angles[v] =
        adjacent ? Angles{four(a.cos + from), four(a.sin + from)} : Angles{load(a.cos + from), load(a.sin + from)};
    if (norm && active) {
      q_weight[v] = load_raw(static_cast<const T*>(a.weight) + lane * kVector + v * apart);
      k_weight[v] = load_raw(static_cast<const T*>(a.k_weight) + lane * kVector + v * apart);
    }
  }
#pragma unroll
  for (int h = 0; h < kHeads; ++h) {
    const bool exists = active && first + h < a.heads;
    Floats x[vectors]{};
    float squares = 0;
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
      if (exists) x[v] = floats(raw[h][v]);
#pragma unroll
      for (int i = 0; i < kVector; ++i) squares += x[v].value[i] * x[v].value[i];
    }
    if (norm) {
      for (int offset = width / 2; offset > 0; offset /= 2) {
        squares += __shfl_xor_sync(kAllLanes, squares, offset, width);
      }
      const float inverse = rsqrtf(squares / a.head_dim + a.eps);
#pragma unroll
      for (int v = 0; v < vectors; ++v) {
        x[v] *= inverse;
        x[v] = floats(times(raw_of<T>(x[v]), first + h < a.first_k ? q_weight[v] : k_weight[v]));
      }
    }
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
      if constexpr (adjacent) {
        turn_adjacent(x[v], angles[v]);
      } else {
        using Round = std::conditional_t<rotation == Rotation::halves, T, float>;
        turn_halves<Round>(x[v], angles[v].cos, angles[v].sin, lane, lanes, width);
      }
      if (exists) store(own + h * a.head_stride + v * apart, x[v]);
    }
  }
}

template <class T, Rotation rotation, int vectors>
void start(const RopeLaunch& a, cudaStream_t stream) {
  int width = 2;
  while (width * kVector * vectors < a.head_dim) width *= 2;
  const int groups = (a.heads + kHeads - 1) / kHeads;
  const std::int64_t blocks = (a.tokens * groups * width + kBlock - 1) / kBlock;
  auto* kernel = a.weight ? rope<T, rotation, true, vectors> : rope<T, rotation, false, vectors>;
  kernel<<<static_cast<unsigned>(blocks), kBlock, 0, stream>>>(a, width, groups);
}

/// Heads such as those of 96: by three vectors a lane no lane is idle.
template <class T>
void start_adjacent(const RopeLaunch& a, cudaStream_t stream) {
  const int thirds = a.head_dim / (3 * kVector);
  const bool even = a.head_dim % (3 * kVector) == 0 && thirds >= 2 && (thirds & (thirds - 1)) == 0;
  even ? start<T, Rotation::adjacent, 3>(a, stream) : start<T, Rotation::adjacent, 1>(a, stream);
}

template <class T>
void start(Rotation rotation, const RopeLaunch& a, cudaStream_t stream) {
  switch (rotation) {
    case Rotation::adjacent: return start_adjacent<T>(a, stream);
    case Rotation::halves: return start<T, Rotation::halves, 1>(a, stream);
    case Rotation::halves_float32: return start<T, Rotation::halves_float32, 1>(a, stream);
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
