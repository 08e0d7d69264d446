// Kernels of a decoding step. Little arithmetic, much memory: what counts is that every key, value and weight is read
// once, sixteen bytes at a time, with many loads in flight.
#include <cmath>

#include "worker/kernels/launch.h"
#include "worker/kernels/turn.cuh"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

constexpr int kAppendBlock = 128;

/// A group of `width` lanes, a power of two, holds one head of q, k or v.
template <class T>
__global__ void rope_append(RopeAppendLaunch a, int width) {
  const int lane = threadIdx.x % width, lanes = a.head_dim / kVector, all = a.heads + 2 * a.kv_heads;
  const std::int64_t index = (static_cast<std::int64_t>(blockIdx.x) * kAppendBlock + threadIdx.x) / width;
  const bool exists = index < a.sequences * all, active = exists && lane < lanes;
  const std::int64_t sequence = exists ? index / all : 0;
  const int head = exists ? static_cast<int>(index - sequence * all) : 0;
  T* const from = static_cast<T*>(a.qkv) + sequence * a.stride + head * a.head_dim + lane * kVector;
  Floats x{};
  if (active) x = load(from);
  const Floats plain = x;
  // All lanes take part in the shuffles; those of v and idle ones don't use what comes out.
  const int column = active ? lane % (lanes / 2) * kVector : 0;
  const std::int64_t row = static_cast<std::int64_t>(a.position[sequence]) * (a.head_dim / 2) + column;
  turn_halves<T>(x, load(a.cos + row), load(a.sin + row), lane, lanes, width);
  if (!active) return;
  if (head < a.heads) {
    store(from, x);
    return;
  }
  const bool is_key = head < a.heads + a.kv_heads;
  const int kv_head = head - a.heads - (is_key ? 0 : a.kv_heads);
  T* const cache = static_cast<T*>(is_key ? a.keys : a.values);
  const std::int64_t at = ((sequence * a.kv_heads + kv_head) * a.capacity + a.length[sequence]) * a.head_dim;
  store(cache + at + lane * kVector, is_key ? x : plain);
}

template <class T>
void start_append(const RopeAppendLaunch& a, cudaStream_t stream) {
  int width = 2;
  while (width * kVector < a.head_dim) width *= 2;
  const std::int64_t threads = a.sequences * (a.heads + 2 * a.kv_heads) * width;
  rope_append<T>
      <<<static_cast<unsigned>((threads + kAppendBlock - 1) / kAppendBlock), kAppendBlock, 0, stream>>>(a, width);
}

constexpr int kAttentionBlock = 128;
constexpr int kWarps = kAttentionBlock / 32;

/// Softmax of the scores of a split, one head a warp at a time: scores become exp(score - largest); the largest and the
/// sum go to `sums`.
__device__ void soften(float* scores, float* sums) {
  const int lane = threadIdx.x % 32;
  const float a = scores[lane], b = scores[lane + 32];
  float largest = fmaxf(a, b);
  for (int offset = 16; offset > 0; offset /= 2) {
    largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, offset));
  }
  const float low = __expf(a - largest), high = __expf(b - largest);
  float sum = low + high;
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(kAllLanes, sum, offset);
  scores[lane] = low;
  scores[lane + 32] = high;
  if (lane == 0) {
    sums[0] = largest;
    sums[1] = sum;
  }
}

/// Block (split, key head, sequence): its 64 keys for the `group` query heads that share them. A set of `width` lanes
/// holds a key or value; the sets of a block take keys in turn.
template <class T, int group>
__global__ void __launch_bounds__(kAttentionBlock) attend_split(DecodeAttentionLaunch a, int width, int splits) {
  __shared__ float scores[group][kKeysPerSplit];
  __shared__ __align__(16) float sums[kAttentionBlock * group * kVector];  // [sets][group][head_dim]
  const int first = blockIdx.x * kKeysPerSplit, kv_head = blockIdx.y;
  const std::int64_t sequence = blockIdx.z;
  const int count = min(kKeysPerSplit, a.length[sequence] + 1 - first);
  if (count <= 0) return;
  const int lane = threadIdx.x % width, set = threadIdx.x / width, sets = kAttentionBlock / width;
  const bool active = lane * kVector < a.head_dim;
  const std::int64_t rows = ((sequence * a.kv_heads + kv_head) * a.capacity + first) * a.head_dim + lane * kVector;
  const T* const keys = static_cast<const T*>(a.keys) + rows;
  const T* const values = static_cast<const T*>(a.values) + rows;

  Floats q[group];
#pragma unroll
  for (int g = 0; g < group; ++g) {
    q[g] = {};
    if (active) {
      q[g] = load(static_cast<const T*>(a.q) + sequence * a.q_stride + (kv_head * group + g) * a.head_dim +
                  lane * kVector);
    }
  }
#pragma unroll 4
  for (int key = set; key < kKeysPerSplit; key += sets) {
    Floats k{};
    if (active && key < count) k = load(keys + static_cast<std::int64_t>(key) * a.head_dim);
#pragma unroll
    for (int g = 0; g < group; ++g) {
      float dot = 0;
#pragma unroll
      for (int i = 0; i < kVector; ++i) dot += q[g].value[i] * k.value[i];
      for (int offset = width / 2; offset > 0; offset /= 2) dot += __shfl_xor_sync(kAllLanes, dot, offset, width);
      if (lane == 0) scores[g][key] = key < count ? dot * a.scale : -INFINITY;
    }
  }
  __syncthreads();
  const std::int64_t out = (sequence * a.heads + kv_head * group) * splits + blockIdx.x;
  for (int g = threadIdx.x / 32; g < group; g += kWarps) {
    soften(scores[g], a.partial_sums + (out + static_cast<std::int64_t>(g) * splits) * 2);
  }
  __syncthreads();

  Floats sum[group];
#pragma unroll
  for (int g = 0; g < group; ++g) sum[g] = {};
#pragma unroll 4
  for (int key = set; key < (active ? count : 0); key += sets) {
    const Floats v = load(values + static_cast<std::int64_t>(key) * a.head_dim);
#pragma unroll
    for (int g = 0; g < group; ++g) {
#pragma unroll
      for (int i = 0; i < kVector; ++i) sum[g].value[i] += scores[g][key] * v.value[i];
    }
  }
  if (active) {
#pragma unroll
    for (int g = 0; g < group; ++g) store(sums + (set * group + g) * a.head_dim + lane * kVector, sum[g]);
  }
  __syncthreads();
  for (int at = threadIdx.x; at < group * a.head_dim; at += kAttentionBlock) {
    float total = 0;
    for (int s = 0; s < sets; ++s) total += sums[s * group * a.head_dim + at];
    const int g = at / a.head_dim;
    a.partial[(out + static_cast<std::int64_t>(g) * splits) * a.head_dim + at - g * a.head_dim] = total;
  }
}

/// Block (head, sequence), a thread an element: the splits joined in order.
template <class T>
__global__ void join_splits(DecodeAttentionLaunch a, int splits) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.y) * a.heads + blockIdx.x;
  const int used = a.length[blockIdx.y] / kKeysPerSplit + 1;
  const float* const sums = a.partial_sums + row * splits * 2;
  const float* const partial = a.partial + row * splits * a.head_dim + threadIdx.x;
  float largest = sums[0];
  for (int s = 1; s < used; ++s) largest = fmaxf(largest, sums[2 * s]);
  float weight = 0, value = 0;
  for (int s = 0; s < used; ++s) {
    const float factor = __expf(sums[2 * s] - largest);
    weight += factor * sums[2 * s + 1];
    value += factor * partial[static_cast<std::int64_t>(s) * a.head_dim];
  }
  T* const out = static_cast<T*>(a.out) + row * a.head_dim + threadIdx.x;
  *out = static_cast<T>(value / weight);
}

template <class T, int group>
void start_attention(const DecodeAttentionLaunch& a, cudaStream_t stream) {
  int width = 2;
  while (width * kVector < a.head_dim) width *= 2;
  const int splits = static_cast<int>((a.capacity + kKeysPerSplit - 1) / kKeysPerSplit);
  const dim3 grid(static_cast<unsigned>(splits), static_cast<unsigned>(a.kv_heads), static_cast<unsigned>(a.sequences));
  attend_split<T, group><<<grid, kAttentionBlock, 0, stream>>>(a, width, splits);
  const dim3 heads(static_cast<unsigned>(a.heads), static_cast<unsigned>(a.sequences));
  join_splits<T><<<heads, a.head_dim, 0, stream>>>(a, splits);
}

template <class T>
void start_attention(const DecodeAttentionLaunch& a, cudaStream_t stream) {
  switch (a.heads / a.kv_heads) {
    case 1: return start_attention<T, 1>(a, stream);
    case 2: return start_attention<T, 2>(a, stream);
    case 3: return start_attention<T, 3>(a, stream);
    case 4: return start_attention<T, 4>(a, stream);
    case 5: return start_attention<T, 5>(a, stream);
    case 6: return start_attention<T, 6>(a, stream);
    case 7: return start_attention<T, 7>(a, stream);
    default: return start_attention<T, 8>(a, stream);
  }
}

constexpr int kLinearBlock = 128;

/// A warp makes two outputs of all rows of x, so that x, which every warp reads, comes from the cache half as often:
/// neighbours, or a gate and what it gates.
template <class T, int rows, Epilogue epilogue>
__global__ void __launch_bounds__(kLinearBlock) few_rows(FewRowsLaunch a) {
  constexpr bool gated = epilogue == Epilogue::silu_mul;
  const int lane = threadIdx.x % 32;
  const int warp = blockIdx.x * (kLinearBlock / 32) + threadIdx.x / 32;
  const int first = gated ? warp : 2 * warp;
  if (first >= a.out) return;
  const int second = gated ? first + a.out : min(first + 1, a.out - 1);
  const T* const w0 = static_cast<const T*>(a.weight) + static_cast<std::int64_t>(first) * a.in;
  const T* const w1 = static_cast<const T*>(a.weight) + static_cast<std::int64_t>(second) * a.in;
  const T* const x = static_cast<const T*>(a.x);
  float sums[2][rows] = {};
#pragma unroll 4
  for (int at = lane * kVector; at < a.in; at += 32 * kVector) {
    const Floats v0 = load(w0 + at), v1 = load(w1 + at);
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      const Floats u = load(x + r * a.x_stride + at);
#pragma unroll
      for (int i = 0; i < kVector; ++i) {
        sums[0][r] += v0.value[i] * u.value[i];
        sums[1][r] += v1.value[i] * u.value[i];
      }
    }
  }
  const T* const bias = static_cast<const T*>(a.bias);
#pragma unroll
  for (int r = 0; r < rows; ++r) {
#pragma unroll
    for (int o = 0; o < 2; ++o) {
      for (int offset = 16; offset > 0; offset /= 2) sums[o][r] += __shfl_xor_sync(kAllLanes, sums[o][r], offset);
      if (bias) sums[o][r] += static_cast<float>(bias[o == 0 ? first : second]);
      sums[o][r] = rounded<T>(sums[o][r]);
      if (epilogue == Epilogue::modulation) {
        const bool is_gate = (o == 0 ? first : second) / (a.out / 4) % 2 == 1;
        sums[o][r] = is_gate ? tanhf(sums[o][r]) : 1.0f + sums[o][r];
      }
    }
    if (lane != 0) continue;
    T* const y = static_cast<T*>(a.y) + static_cast<std::int64_t>(r) * a.out;
    if (gated) {
      y[first] = static_cast<T>(rounded<T>(silu<T>(sums[0][r])) * sums[1][r]);
      continue;
    }
    const T* const residual = a.residual ? static_cast<const T*>(a.residual) + static_cast<std::int64_t>(r) * a.out : y;
    y[first] = static_cast<T>(a.residual ? sums[0][r] + static_cast<float>(residual[first]) : sums[0][r]);
    y[second] = static_cast<T>(a.residual ? sums[1][r] + static_cast<float>(residual[second]) : sums[1][r]);
  }
}

template <class T, Epilogue epilogue>
void start_few_rows(const FewRowsLaunch& a, cudaStream_t stream) {
  constexpr int kPerBlock = kLinearBlock / 32 * (epilogue == Epilogue::silu_mul ? 1 : 2);
  const unsigned blocks = static_cast<unsigned>((a.out + kPerBlock - 1) / kPerBlock);
  auto* kernel = a.rows == 1   ? few_rows<T, 1, epilogue>
                 : a.rows == 2 ? few_rows<T, 2, epilogue>
                 : a.rows == 3 ? few_rows<T, 3, epilogue>
                               : few_rows<T, 4, epilogue>;
  kernel<<<blocks, kLinearBlock, 0, stream>>>(a);
}

template <class T>
void start_few_rows(const FewRowsLaunch& a, cudaStream_t stream) {
  switch (a.epilogue) {
    case Epilogue::plain: return start_few_rows<T, Epilogue::plain>(a, stream);
    case Epilogue::silu_mul: return start_few_rows<T, Epilogue::silu_mul>(a, stream);
    case Epilogue::modulation: return start_few_rows<T, Epilogue::modulation>(a, stream);
  }
}

}  // namespace

cudaError_t launch_rope_append(Element element, const RopeAppendLaunch& args, cudaStream_t stream) {
  element == Element::float32 ? start_append<float>(args, stream) : start_append<__nv_bfloat16>(args, stream);
  return cudaGetLastError();
}

cudaError_t launch_decode_attention(Element element, const DecodeAttentionLaunch& args, cudaStream_t stream) {
  element == Element::float32 ? start_attention<float>(args, stream) : start_attention<__nv_bfloat16>(args, stream);
  return cudaGetLastError();
}

cudaError_t launch_few_rows(Element element, const FewRowsLaunch& args, cudaStream_t stream) {
  element == Element::float32 ? start_few_rows<float>(args, stream) : start_few_rows<__nv_bfloat16>(args, stream);
  return cudaGetLastError();
}

}  // namespace trireme::kernels
