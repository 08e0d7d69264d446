// Biases and joining: every thread keeps to eight channels of a few pixels. Bytes: a pixel a thread.
#include "worker/kernels/launch.h"
#include "worker/kernels/vector.cuh"

namespace trireme::kernels {
namespace {

constexpr int kBlock = 256;
constexpr int kPixelsPerThread = 4;

template <class T>
__device__ Floats with_bias(const Raw<T>& raw, const void* bias, int channel) {
  Floats v = floats(raw);
  if (bias == nullptr) return v;
  v += load(static_cast<const T*>(bias) + channel);
  return rounded<T>(v);
}

template <class T>
__global__ void add_biased(AddBiasedLaunch args) {
  const unsigned octets = args.channels / kVector;
  const std::int64_t all = args.pixels * octets;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kBlock * kPixelsPerThread + threadIdx.x;
  Raw<T> a[kPixelsPerThread], b[kPixelsPerThread];
#pragma unroll
  for (int k = 0; k < kPixelsPerThread; ++k) {
    const std::int64_t at = first + k * kBlock;
    if (at >= all) continue;
    a[k] = load_raw(static_cast<const T*>(args.a) + at * kVector);
    if (args.b != nullptr) b[k] = load_raw(static_cast<const T*>(args.b) + at * kVector);
  }
#pragma unroll
  for (int k = 0; k < kPixelsPerThread; ++k) {
    const std::int64_t at = first + k * kBlock;
    if (at >= all) continue;
    const int channel = static_cast<int>(static_cast<unsigned>(at) % octets) * kVector;
    Floats sum = with_bias<T>(a[k], args.a_bias, channel);
    if (args.b != nullptr) sum += with_bias<T>(b[k], args.b_bias, channel);
    store(static_cast<T*>(args.a) + at * kVector, sum);
  }
}

/// grid (parts of a row of `out`, its rows)
template <class T>
__global__ void join_doubled(JoinDoubledLaunch args) {
  const unsigned octets = args.channels / kVector, all = 2 * static_cast<unsigned>(args.width) * octets;
  const unsigned row = blockIdx.y, doubled = 2 * static_cast<unsigned>(args.height), odd_row = row % 2;
  const std::int64_t y_row = row / doubled * (args.height + 1) + row % doubled / 2 + odd_row;
  const T* const from = static_cast<const T*>(args.y) + y_row * (args.width + 1) * 4 * args.channels;
  T* const to = static_cast<T*>(args.out) + static_cast<std::int64_t>(row) * all * kVector;
  const unsigned first = blockIdx.x * kBlock * kPixelsPerThread + threadIdx.x;
  Raw<T> raw[kPixelsPerThread];
#pragma unroll
  for (int k = 0; k < kPixelsPerThread; ++k) {
    const unsigned at = first + k * kBlock, column = at / octets, odd = column % 2;
    if (at >= all) continue;
    const std::int64_t pixel = column / 2 + odd;
    raw[k] = load_raw(from + (4 * pixel + 2 * odd_row + odd) * args.channels + at % octets * kVector);
  }
#pragma unroll
  for (int k = 0; k < kPixelsPerThread; ++k) {
    const unsigned at = first + k * kBlock;
    if (at >= all) continue;
    store(to + static_cast<std::int64_t>(at) * kVector, with_bias<T>(raw[k], args.bias, at % octets * kVector));
  }
}

/// grid (parts of a row, rows)
template <class T>
__global__ void to_bytes(ToBytesLaunch args) {
  const std::int64_t row = blockIdx.y, column = blockIdx.x * kBlock + threadIdx.x;
  if (column >= args.width) return;
  const T* const from = static_cast<const T*>(args.image) + row * args.strides[1] + column * args.strides[2];
  std::uint8_t* const to = args.out + 3 * (row * args.width + column);
#pragma unroll
  for (int channel = 0; channel < 3; ++channel) {
    const float v = static_cast<float>(from[channel * args.strides[0]]) * 0.5f + 0.5f;
    to[channel] = static_cast<std::uint8_t>(__float2uint_rn(fminf(fmaxf(v, 0.0f), 1.0f) * 255.0f));
  }
}

unsigned blocks(std::int64_t work, std::int64_t of_block) {
  return static_cast<unsigned>((work + of_block - 1) / of_block);
}

}  // namespace

cudaError_t launch_add_biased(Element element, const AddBiasedLaunch& args, cudaStream_t stream) {
  auto* kernel = element == Element::float32 ? add_biased<float> : add_biased<__nv_bfloat16>;
  kernel<<<blocks(args.pixels * (args.channels / kVector), kBlock * kPixelsPerThread), kBlock, 0, stream>>>(args);
  return cudaGetLastError();
}

cudaError_t launch_join_doubled(Element element, const JoinDoubledLaunch& args, cudaStream_t stream) {
  auto* kernel = element == Element::float32 ? join_doubled<float> : join_doubled<__nv_bfloat16>;
  const dim3 grid(blocks(2 * args.width * (args.channels / kVector), kBlock * kPixelsPerThread),
                  static_cast<unsigned>(2 * args.images * args.height));
  kernel<<<grid, kBlock, 0, stream>>>(args);
  return cudaGetLastError();
}

cudaError_t launch_to_bytes(Element element, const ToBytesLaunch& args, cudaStream_t stream) {
  auto* kernel = element == Element::float32 ? to_bytes<float> : to_bytes<__nv_bfloat16>;
  const dim3 grid(blocks(args.width, kBlock), static_cast<unsigned>(args.height));
  kernel<<<grid, kBlock, 0, stream>>>(args);
  return cudaGetLastError();
}

}  // namespace trireme::kernels
