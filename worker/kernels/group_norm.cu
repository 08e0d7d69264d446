// Three passes: sums of slices of fixed size, then a scale and a shift for each channel, then one pass that applies
// them. A thread sums differences from its first value, so float32 loses nothing where the mean is large; slices are
// joined in float64.
#include "worker/kernels/launch.h"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

constexpr int kBlock = 256;
constexpr int kSlice = 65536;  // elements a block sums
constexpr int kPixelsPerThread = 4;

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

/// x with what is added to it, as a tensor of T would hold the sum.
template <class T>
__device__ Floats biased(const Raw<T>& raw, const Floats& bias, bool with_bias) {
  Floats v = floats(raw);
  if (!with_bias) return v;
  v += bias;
  return rounded<T>(v);
}

/// grid (slices, images): a block sums whole pixels; a thread keeps to its eight channels. `unit` neighbouring channels
/// of them are of one group.
template <class T, int unit>
__global__ void sum_channels_last(GroupNormLaunch a) {
  extern __shared__ Moments of_unit[];  // [pixel of a step][unit of the pixel]
  const int octets = a.channels / kVector, step = blockDim.x / octets;
  const int octet = threadIdx.x % octets, lane = threadIdx.x / octets;
  const std::int64_t slice = kSlice / a.channels;
  const std::int64_t first = blockIdx.x * slice, last = first + slice < a.pixels ? first + slice : a.pixels;
  const T* const image = static_cast<const T*>(a.x) + blockIdx.y * a.pixels * a.channels + octet * kVector;
  const bool with_bias = a.x_bias != nullptr;
  Floats bias{};
  if (with_bias) bias = load(static_cast<const T*>(a.x_bias) + octet * kVector);
  Running running[kVector] = {};
  int count = 0;
  if (first + lane < last) {
    const Floats v = biased<T>(load_raw(image + (first + lane) * a.channels), bias, with_bias);
#pragma unroll
    for (int i = 0; i < kVector; ++i) running[i].origin = v.value[i];
  }
  const T* at = image + (first + lane) * a.channels;
  const std::int64_t stride = static_cast<std::int64_t>(step) * a.channels;
#pragma unroll 4
  for (std::int64_t pixel = first + lane; pixel < last; pixel += step, at += stride, ++count) {
    const Floats v = biased<T>(load_raw(at), bias, with_bias);
#pragma unroll
    for (int i = 0; i < kVector; ++i) running[i].add(v.value[i]);
  }
  constexpr int kUnits = kVector / unit;
  const int units = a.channels / unit;  // of a pixel
#pragma unroll
  for (int u = 0; u < kUnits; ++u) {
    Moments total{};
#pragma unroll
    for (int i = u * unit; i < (u + 1) * unit; ++i) {
      const Moments m = running[i].moments(count);
      total.sum += m.sum;
      total.squares += m.squares;
    }
    of_unit[lane * units + octet * kUnits + u] = total;
  }
  __syncthreads();
  const int per_group = units / a.groups;
  for (int group = threadIdx.x; group < a.groups; group += blockDim.x) {
    Moments total{};
    for (int p = 0; p < step; ++p) {
      for (int c = 0; c < per_group; ++c) {
        const Moments& m = of_unit[p * units + group * per_group + c];
        total.sum += m.sum;
        total.squares += m.squares;
      }
    }
    const std::int64_t row = static_cast<std::int64_t>(blockIdx.y) * a.groups + group;
    reinterpret_cast<Moments*>(a.partial)[row * gridDim.x + blockIdx.x] = total;
  }
}

/// One block for each group of each image.
template <class T>
__global__ void finish_statistics(GroupNormLaunch a, std::int64_t slices) {
  __shared__ Moments of_thread[kBlock];
  const int image = blockIdx.x / a.groups, group = blockIdx.x % a.groups, per_group = a.channels / a.groups;
  const Moments* const partial = reinterpret_cast<const Moments*>(a.partial) + blockIdx.x * slices;
  Moments total{};
#pragma unroll 4
  for (std::int64_t s = threadIdx.x; s < slices; s += kBlock) {
    total.sum += partial[s].sum;
    total.squares += partial[s].squares;
  }
  of_thread[threadIdx.x] = total;
  for (int half = kBlock / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
      of_thread[threadIdx.x].sum += of_thread[threadIdx.x + half].sum;
      of_thread[threadIdx.x].squares += of_thread[threadIdx.x + half].squares;
    }
  }
  __syncthreads();
  total = of_thread[0];
  const double count = static_cast<double>(a.pixels) * per_group, mean = total.sum / count;
  const double variance = total.squares / count - mean * mean;
  const float inverse = static_cast<float>(rsqrt((variance > 0 ? variance : 0) + a.eps));
  float* const scale = a.scale_shift + static_cast<std::int64_t>(image) * 2 * a.channels;
  for (int c = group * per_group + threadIdx.x; c < (group + 1) * per_group; c += kBlock) {
    const float w = static_cast<float>(static_cast<const T*>(a.weight)[c]);
    scale[c] = w * inverse;
    scale[a.channels + c] = static_cast<float>(static_cast<const T*>(a.bias)[c]) - static_cast<float>(mean) * scale[c];
  }
}

template <class T>
__device__ Floats finish(Floats v, const Floats& scale, const Floats& shift, bool with_silu) {
#pragma unroll
  for (int i = 0; i < kVector; ++i) v.value[i] = v.value[i] * scale.value[i] + shift.value[i];
  v = rounded<T>(v);
  if (!with_silu) return v;
#pragma unroll
  for (int i = 0; i < kVector; ++i) v.value[i] = silu<T>(v.value[i]);
  return v;
}

__device__ Floats eight(float v) { return {{v, v, v, v, v, v, v, v}}; }

/// grid (parts of a channel, images * channels)
template <class T>
__global__ void apply_channels_first(GroupNormLaunch a) {
  const std::int64_t at = (static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x) * kVector;
  if (at >= a.pixels) return;
  const int image = blockIdx.y / a.channels, channel = blockIdx.y % a.channels;
  const float* const scales = a.scale_shift + static_cast<std::int64_t>(image) * 2 * a.channels;
  const Floats scale = eight(scales[channel]), shift = eight(scales[a.channels + channel]);
  const std::int64_t index = blockIdx.y * a.pixels + at;
  store(static_cast<T*>(a.out) + index, finish<T>(load(static_cast<const T*>(a.x) + index), scale, shift, a.silu));
}

/// grid (parts of an image, images): a thread keeps to its eight channels.
template <class T>
__global__ void apply_channels_last(GroupNormLaunch a) {
  const int octets = a.channels / kVector, step = blockDim.x / octets;
  const int channel = threadIdx.x % octets * kVector;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * step * kPixelsPerThread + threadIdx.x / octets;
  const float* const scales = a.scale_shift + static_cast<std::int64_t>(blockIdx.y) * 2 * a.channels + channel;
  const std::int64_t image = blockIdx.y * a.pixels * a.channels + channel;
  Raw<T> raw[kPixelsPerThread];
#pragma unroll
  for (int k = 0; k < kPixelsPerThread; ++k) {
    const std::int64_t pixel = first + k * step;
    if (pixel < a.pixels) raw[k] = load_raw(static_cast<const T*>(a.x) + image + pixel * a.channels);
  }
  const Floats scale = load(scales), shift = load(scales + a.channels);
  const bool with_bias = a.x_bias != nullptr;
  Floats bias{};
  if (with_bias) bias = load(static_cast<const T*>(a.x_bias) + channel);
#pragma unroll
  for (int k = 0; k < kPixelsPerThread; ++k) {
    const std::int64_t pixel = first + k * step;
    if (pixel >= a.pixels) continue;
    const Floats v = finish<T>(biased<T>(raw[k], bias, with_bias), scale, shift, a.silu);
    store(static_cast<T*>(a.out) + image + pixel * a.channels, v);
  }
}

template <class T>
void start_channels_last(const GroupNormLaunch& a, std::int64_t slices, cudaStream_t stream) {
  const int octets = a.channels / kVector, threads = kBlock / octets * octets, per_group = a.channels / a.groups;
  const dim3 grid(static_cast<unsigned>(slices), a.images);
  // Neighbouring channels of a thread that are of one group.
  const int unit = per_group % 8 == 0 ? 8 : per_group % 4 == 0 ? 4 : per_group % 2 == 0 ? 2 : 1;
  auto* sum = unit == 8   ? sum_channels_last<T, 8>
              : unit == 4 ? sum_channels_last<T, 4>
              : unit == 2 ? sum_channels_last<T, 2>
                          : sum_channels_last<T, 1>;
  sum<<<grid, threads, sizeof(Moments) * threads*(kVector / unit), stream>>>(a);
  finish_statistics<T><<<a.images * a.groups, kBlock, 0, stream>>>(a, slices);
  const std::int64_t pixels = static_cast<std::int64_t>(threads / octets) * kPixelsPerThread;  // of a block
  apply_channels_last<T><<<dim3(static_cast<unsigned>(ceil_div(a.pixels, pixels)), a.images), threads, 0, stream>>>(a);
}

template <class T>
void start(const GroupNormLaunch& a, cudaStream_t stream) {
  const std::int64_t slices = slice_count(a);
  if (a.channels_last) return start_channels_last<T>(a, slices, stream);
  sum_channels_first<T><<<dim3(static_cast<unsigned>(slices), a.images * a.groups), kBlock, 0, stream>>>(a);
  finish_statistics<T><<<a.images * a.groups, kBlock, 0, stream>>>(a, slices);
  const dim3 grid(static_cast<unsigned>(ceil_div(a.pixels, kBlock * kVector)), a.images * a.channels);
  apply_channels_first<T><<<grid, kBlock, 0, stream>>>(a);
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
