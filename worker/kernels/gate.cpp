#include "worker/kernels/gate.h"

#include <ATen/ATen.h>

#include "worker/kernels/call.h"

namespace trireme::kernels {

at::Tensor silu_mul(const at::Tensor& a, const at::Tensor& b) {
  require(a.dim() == 2 && a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type(),
          "silu_mul wants a, b [rows, dim]");
  require(is_element(a), "silu_mul wants float32 or bfloat16");
  const bool fits = a.is_cuda() && a.size(1) % 8 == 0 && a.stride(1) == 1 && b.stride(1) == 1 && a.stride(0) % 8 == 0 &&
                    b.stride(0) % 8 == 0 && aligned({a, b});
  if (fits) {
    at::Tensor out = at::empty(a.sizes(), a.options());
    if (out.numel() == 0) return out;
    const SiluMulLaunch args{
        a.data_ptr(), b.data_ptr(), out.data_ptr(), a.size(0), a.stride(0), b.stride(0), static_cast<int>(a.size(1))};
    enqueue(a, "silu_mul", [&](cudaStream_t stream) { return launch_silu_mul(element(a), args, stream); });
    return out;
  }
  return at::silu(a.contiguous()).mul_(b);  // contiguous: ATen's scalar and vector paths round differently
}

}  // namespace trireme::kernels
