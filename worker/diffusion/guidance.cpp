#include "worker/diffusion/guidance.h"

#include <ATen/ATen.h>

namespace trireme {

at::Tensor join(const Guidance& guidance, const at::Tensor& positive, const at::Tensor& negative) {
  const at::Tensor& start = guidance.from == Guidance::From::positive ? positive : negative;
  const at::Tensor joined = start + (positive - negative) * guidance.scale;
  if (guidance.normalization <= 0) return joined;
  const at::Tensor largest = at::linalg_vector_norm(positive) * guidance.normalization;
  const at::Tensor norm = at::linalg_vector_norm(joined);
  return joined * at::where(norm > largest, largest / norm, at::ones_like(norm));
}

}  // namespace trireme
