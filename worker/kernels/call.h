#pragma once
// What the .cpp of every kernel needs to go from tensors to a launch; not part of the public headers.

#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <cstdint>
#include <initializer_list>
#include <string>

#include "common/errors.h"
#include "worker/kernels/launch.h"

namespace trireme::kernels {

/// A condition the caller of a kernel must meet.
inline void require(bool condition, const char* what) {
  if (!condition) throw Error(ExitCode::internal, std::string("kernel called wrongly: ") + what);
}

inline bool is_element(const at::Tensor& t) {
  return t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16;
}

inline Element element(const at::Tensor& t) {
  return t.scalar_type() == at::kFloat ? Element::float32 : Element::bfloat16;
}

/// True when every defined tensor starts on a 16-byte border: what the kernels' loads need.
inline bool aligned(std::initializer_list<at::Tensor> tensors) {
  for (const at::Tensor& t : tensors) {
    if (t.defined() && reinterpret_cast<std::uintptr_t>(t.data_ptr()) % 16 != 0) return false;
  }
  return true;
}

inline const void* pointer(const at::Tensor& t) { return t.defined() ? t.data_ptr() : nullptr; }

/// Calls `launch(stream)` with the current stream of the tensor's device.
template <class Launch>
void enqueue(const at::Tensor& on, const char* what, Launch launch) {
  const c10::cuda::CUDAGuard guard(on.device());
  const cudaError_t error = launch(c10::cuda::getCurrentCUDAStream().stream());
  if (error != cudaSuccess) {
    throw Error(ExitCode::unavailable, std::string("launching ") + what + " failed: " + cudaGetErrorString(error));
  }
}

}  // namespace trireme::kernels
