// Three passes: sums of slices of fixed size, then a scale and a shift for each channel, then one pass that applies
// them. A thread sums differences from its first value, so float32 loses nothing where the mean is large; slices are
// joined in float64.
#include "worker/kernels/launch.h"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

constexpr int kBlock = 256;
constexpr int kSlice = 32768;  // elements a block sums

struct Moments {
  double sum, squares;
};

struct Running {  // of differences from `origin`
  float origin, sum, squares;
  __device__ void add(float v) {
    const float d = v - origin;
    sum += d;
    squares += d * d;
  }
  __device__ Moments moments(double count) const {
    const double k = origin;
    return {sum + count * k, squares + 2 * k * sum + count * k * k};
  }
};

__host__ __device__ std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Slices of a group (channels first) or of an image (channels last).
__host__ __device__ std::int64_t slice_count(const GroupNormLaunch& a) {
  if (a.channels_last) return ceil_div(a.pixels, kSlice / a.channels);
  return ceil_div(a.pixels * (a.channels / a.groups), kSlice);
}

/// grid (slices, images * groups): a group is one run of memory.
template <class T>
__global__ void sum_channels_first(GroupNormLaunch a) {
  __shared__ Moments of_thread[kBlock];
  const std::int64_t size = a.pixels * (a.channels / a.groups);
  const T* const group = static_cast<const T*>(a.x) + blockIdx.y * size;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kSlice;
  const std::int64_t last = first + kSlice < size ? first + kSlice : size;
  Running running{};
  int count = 0;
  for (std::int64_t at = first + threadIdx.x * kVector; at < last; at += kBlock * kVector) {
    const Floats v = load(group + at);
    if (count == 0) running.origin = v.value[0];
#pragma unroll
    for (int i = 0; i < kVector; ++i) running.add(v.value[i]);
    count += kVector;
  }
  of_thread[threadIdx.x] = running.moments(count);
  for (int half = kBlock / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
      of_thread[threadIdx.x].sum += of_thread[threadIdx.x + half].sum;
      of_thread[threadIdx.x].squares += of_thread[threadIdx.x + half].squares;
    }
  }
  if (threadIdx.x == 0) {
    reinterpret_cast<Moments*>(a.partial)[static_cast<std::int64_t>(blockIdx.y) * gridDim.x + blockIdx.x] =
        of_thread[0];
  }
}

/// grid (slices, images): a block sums whole pixels; a thread keeps to its eight channels.
template <class T>
__global__ void sum_channels_last(GroupNormLaunch a) {
  extern __shared__ Moments of_channel[];  // [pixel of a step][channel]
  const int octets = a.channels / kVector, step = blockDim.x / octets;
  const int octet = threadIdx.x % octets, lane = threadIdx.x / octets;
  const std::int64_t slice = kSlice / a.channels;
  const std::int64_t first = blockIdx.x * slice, last = first + slice < a.pixels ? first + slice : a.pixels;
  const T* const image = static_cast<const T*>(a.x) + blockIdx.y * a.pixels * a.channels + octet * kVector;
  Running running[kVector] = {};
  int count = 0;
  for (std::int64_t pixel = first + lane; pixel < last; pixel += step, ++count) {
    const Floats v = load(image + pixel * a.channels);
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      if (count == 0) running[i].origin = v.value[i];
      running[i].add(v.value[i]);
    }
  }
#pragma unroll
  for (int i = 0; i < kVector; ++i) of_channel[lane * a.channels + octet * kVector + i] = running[i].moments(count);
  __syncthreads();
  const int per_group = a.channels / a.groups;
  for (int group = threadIdx.x; group < a.groups; group += blockDim.x) {
    Moments total{};
    for (int p = 0; p < step; ++p) {
      for (int c = 0; c < per_group; ++c) {
        const Moments& m = of_channel[p * a.channels + group * per_group + c];
        total.sum += m.sum;
        total.squares += m.squares;
      }
    }
    const std::int64_t row = static_cast<std::int64_t>(blockIdx.y) * a.groups + group;
    reinterpret_cast<Moments*>(a.partial)[row * gridDim.x + blockIdx.x] = total;
  }
}

/// One warp for each group of each image.
template <class T>
__global__ void finish_statistics(GroupNormLaunch a, std::int64_t slices) {
  const int image = blockIdx.x / a.groups, group = blockIdx.x % a.groups, per_group = a.channels / a.groups;
  const Moments* const partial = reinterpret_cast<const Moments*>(a.partial) + blockIdx.x * slices;
  Moments total{};
  for (std::int64_t s = threadIdx.x; s < slices; s += 32) {
    total.sum += partial[s].sum;
    total.squares += partial[s].squares;
  }
  for (int offset = 16; offset > 0; offset /= 2) {
    total.sum += __shfl_xor_sync(0xffffffffu, total.sum, offset);
    total.squares += __shfl_xor_sync(0xffffffffu, total.squares, offset);
  }
  const double count = static_cast<double>(a.pixels) * per_group, mean = total.sum / count;
  const double variance = total.squares / count - mean * mean;
  const float inverse = static_cast<float>(rsqrt((variance > 0 ? variance : 0) + a.eps));
  float* const scale = a.scale_shift + static_cast<std::int64_t>(image) * 2 * a.channels;
  for (int c = group * per_group + threadIdx.x; c < (group + 1) * per_group; c += 32) {
    const float w = static_cast<float>(static_cast<const T*>(a.weight)[c]);
    scale[c] = w * inverse;
    scale[a.channels + c] = static_cast<float>(static_cast<const T*>(a.bias)[c]) - static_cast<float>(mean) * scale[c];
  }
}

template <class T>
__device__ float finish(float x, float scale, float shift, bool with_silu) {
  const float y = rounded<T>(x * scale + shift);
  return with_silu ? silu(y) : y;
}

/// grid (parts of a channel, images * channels)
template <class T>
__global__ void apply_channels_first(GroupNormLaunch a) {
  const std::int64_t at = (static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x) * kVector;
  if (at >= a.pixels) return;
  const int image = blockIdx.y / a.channels, channel = blockIdx.y % a.channels;
  const float* const scales = a.scale_shift + static_cast<std::int64_t>(image) * 2 * a.channels;
  const float scale = scales[channel], shift = scales[a.channels + channel];
  const std::int64_t index = blockIdx.y * a.pixels + at;
  Floats v = load(static_cast<const T*>(a.x) + index);
#pragma unroll
  for (int i = 0; i < kVector; ++i) v.value[i] = finish<T>(v.value[i], scale, shift, a.silu);
  store(static_cast<T*>(a.out) + index, v);
}

/// grid (parts of an image, images)
template <class T>
__global__ void apply_channels_last(GroupNormLaunch a) {
  const std::int64_t at = (static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x) * kVector;
  if (at >= a.pixels * a.channels) return;
  const int channel = static_cast<int>(at % a.channels);
  const float* const scales = a.scale_shift + static_cast<std::int64_t>(blockIdx.y) * 2 * a.channels + channel;
  const Floats scale = load(scales), shift = load(scales + a.channels);
  const std::int64_t index = blockIdx.y * a.pixels * a.channels + at;
  Floats v = load(static_cast<const T*>(a.x) + index);
#pragma unroll
  for (int i = 0; i < kVector; ++i) v.value[i] = finish<T>(v.value[i], scale.value[i], shift.value[i], a.silu);
  store(static_cast<T*>(a.out) + index, v);
}

template <class T>
void start(const GroupNormLaunch& a, cudaStream_t stream) {
  const std::int64_t slices = slice_count(a);
  if (a.channels_last) {
    const int octets = a.channels / kVector, threads = kBlock / octets * octets;
    const dim3 grid(static_cast<unsigned>(slices), a.images);
    sum_channels_last<T><<<grid, threads, sizeof(Moments) * threads * kVector, stream>>>(a);
  } else {
    sum_channels_first<T><<<dim3(static_cast<unsigned>(slices), a.images * a.groups), kBlock, 0, stream>>>(a);
  }
  finish_statistics<T><<<a.images * a.groups, 32, 0, stream>>>(a, slices);
  const std::int64_t run = a.channels_last ? a.pixels * a.channels : a.pixels;
  const dim3 grid(static_cast<unsigned>(ceil_div(run, kBlock * kVector)),
                  a.images * (a.channels_last ? 1 : a.channels));
  auto* apply = a.channels_last ? apply_channels_last<T> : apply_channels_first<T>;
  apply<<<grid, kBlock, 0, stream>>>(a);
}

}  // namespace

std::int64_t group_norm_partials(const GroupNormLaunch& args) {
  return slice_count(args) * args.images * args.groups * 2;
}

cudaError_t launch_group_norm(Element element, const GroupNormLaunch& args, cudaStream_t stream) {
  element == Element::float32 ? start<float>(args, stream) : start<__nv_bfloat16>(args, stream);
  return cudaGetLastError();
}

}  // namespace trireme::kernels
