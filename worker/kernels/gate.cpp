#include "worker/kernels/gate.h"

#include <ATen/ATen.h>

#include "worker/kernels/check.h"

namespace trireme::kernels {

at::Tensor silu_mul(const at::Tensor& a, const at::Tensor& b) {
  require(a.dim() == 2 && a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type(),
          "silu_mul wants a, b [rows, dim]");
  require(a.scalar_type() == at::kFloat || a.scalar_type() == at::kBFloat16, "silu_mul wants float32 or bfloat16");
  return at::mul(at::silu(a), b).contiguous();
}

}  // namespace trireme::kernels
