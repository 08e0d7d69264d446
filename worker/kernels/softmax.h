#pragma once
// Softmax of attention scores in one pass. On a GPU a kernel of our own, else plain ATen. Enqueues on the current
// stream. Throws Error(internal) for shapes or dtypes that don't fit.

#include <ATen/core/Tensor.h>

namespace trireme::kernels {

/// scores [rows, columns] float32 -> softmax of scores * scale over the columns, in float32, rounded once to `dtype`
/// (bfloat16 or float32).
at::Tensor scaled_softmax(const at::Tensor& scores, double scale, at::ScalarType dtype);

}  // namespace trireme::kernels
