#pragma once
// Eight elements at a time: one 16-byte access for bfloat16, two for float32; arithmetic in float32 registers. A kernel
// that waits for memory loads all it needs as Raw, which is half the registers, before it uses the first.

#include <cuda_bf16.h>

#include "worker/kernels/bfloat16_pair.cuh"

namespace trireme::kernels {

constexpr int kVector = 8;

struct Floats {
  float value[kVector];
};

__device__ inline Floats& operator+=(Floats& a, const Floats& b) {
#pragma unroll
  for (int i = 0; i < kVector; ++i) a.value[i] += b.value[i];
  return a;
}
__device__ inline Floats& operator*=(Floats& a, const Floats& b) {
#pragma unroll
  for (int i = 0; i < kVector; ++i) a.value[i] *= b.value[i];
  return a;
}
__device__ inline Floats& operator*=(Floats& a, float b) {
#pragma unroll
  for (int i = 0; i < kVector; ++i) a.value[i] *= b;
  return a;
}

template <class T>
struct Raw;
template <>
struct Raw<float> {
  float4 low, high;
};
template <>
struct Raw<__nv_bfloat16> {
  uint4 words;
};

__device__ inline Raw<float> load_raw(const float* from) {
  return {reinterpret_cast<const float4*>(from)[0], reinterpret_cast<const float4*>(from)[1]};
}
__device__ inline Raw<__nv_bfloat16> load_raw(const __nv_bfloat16* from) {
  return {*reinterpret_cast<const uint4*>(from)};
}

__device__ inline Floats floats(const Raw<float>& raw) {
  return {{raw.low.x, raw.low.y, raw.low.z, raw.low.w, raw.high.x, raw.high.y, raw.high.z, raw.high.w}};
}
__device__ inline Floats floats(const Raw<__nv_bfloat16>& raw) {
  const unsigned words[4] = {raw.words.x, raw.words.y, raw.words.z, raw.words.w};
  Floats out;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    out.value[2 * i] = low(words[i]);
    out.value[2 * i + 1] = high(words[i]);
  }
  return out;
}

template <class T>
__device__ inline Floats load(const T* from) {
  return floats(load_raw(from));
}

/// As a tensor of T holds it: rounded.
template <class T>
__device__ inline Raw<T> raw_of(const Floats& v);
template <>
__device__ inline Raw<float> raw_of<float>(const Floats& v) {
  return {make_float4(v.value[0], v.value[1], v.value[2], v.value[3]),
          make_float4(v.value[4], v.value[5], v.value[6], v.value[7])};
}
template <>
__device__ inline Raw<__nv_bfloat16> raw_of<__nv_bfloat16>(const Floats& v) {
  unsigned words[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) words[i] = packed(v.value[2 * i], v.value[2 * i + 1]);
  return {make_uint4(words[0], words[1], words[2], words[3])};
}

__device__ inline void store(float* to, const Raw<float>& v) {
  reinterpret_cast<float4*>(to)[0] = v.low;
  reinterpret_cast<float4*>(to)[1] = v.high;
}
__device__ inline void store(__nv_bfloat16* to, const Raw<__nv_bfloat16>& v) {
  *reinterpret_cast<uint4*>(to) = v.words;
}
template <class T>
__device__ inline void store(T* to, const Floats& v) {
  store(to, raw_of<T>(v));
}

// Products and sums of tensors' values, rounded. In bfloat16 one instruction for two, with the bits of float32 rounded
// once more: a product of two bfloat16 is exact there, a sum is or is far from the middle between two bfloat16.
template <class Of>
__device__ inline Raw<__nv_bfloat16> in_pairs(const Raw<__nv_bfloat16>& a, const Raw<__nv_bfloat16>& b, Of of) {
  Raw<__nv_bfloat16> out;
  const auto* const x = reinterpret_cast<const __nv_bfloat162*>(&a);
  const auto* const y = reinterpret_cast<const __nv_bfloat162*>(&b);
#pragma unroll
  for (int i = 0; i < kVector / 2; ++i) reinterpret_cast<__nv_bfloat162*>(&out)[i] = of(x[i], y[i]);
  return out;
}
__device__ inline Raw<__nv_bfloat16> times(const Raw<__nv_bfloat16>& a, const Raw<__nv_bfloat16>& b) {
  return in_pairs(a, b, [](__nv_bfloat162 x, __nv_bfloat162 y) { return __hmul2_rn(x, y); });
}
__device__ inline Raw<__nv_bfloat16> plus(const Raw<__nv_bfloat16>& a, const Raw<__nv_bfloat16>& b) {
  return in_pairs(a, b, [](__nv_bfloat162 x, __nv_bfloat162 y) { return __hadd2_rn(x, y); });
}
__device__ inline Raw<float> times(const Raw<float>& a, const Raw<float>& b) {
  Floats out = floats(a);
  return raw_of<float>(out *= floats(b));
}
__device__ inline Raw<float> plus(const Raw<float>& a, const Raw<float>& b) {
  Floats out = floats(a);
  return raw_of<float>(out += floats(b));
}

/// The value as a tensor of T would hold it.
template <class T>
__device__ inline float rounded(float v);
template <>
__device__ inline float rounded<float>(float v) {
  return v;
}
template <>
__device__ inline float rounded<__nv_bfloat16>(float v) {
  return __bfloat162float(__float2bfloat16_rn(v));
}

/// The same of all eight: bfloat16 in pairs, by one instruction instead of two slow ones.
template <class T>
__device__ inline Floats rounded(const Floats& v) {
  return floats(raw_of<T>(v));
}

/// Before it is rounded to T: for bfloat16 the fast functions, whose error is a thousandth of that rounding.
template <class T>
__device__ inline float silu(float v);
template <>
__device__ inline float silu<float>(float v) {
  return v / (1.0f + expf(-v));
}
template <>
__device__ inline float silu<__nv_bfloat16>(float v) {
  return __fdividef(v, 1.0f + __expf(-v));
}

/// silu(a) as a tensor of T would hold it, times b; the product is not rounded yet.
template <class T>
__device__ inline Floats silu_times(Floats a, const Floats& b) {
#pragma unroll
  for (int i = 0; i < kVector; ++i) a.value[i] = silu<T>(a.value[i]);
  a = rounded<T>(a);
  return a *= b;
}

}  // namespace trireme::kernels
