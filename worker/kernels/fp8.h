#pragma once
// Products in float8 (e4m3) with a scale a row: model.dtype: fp8. On a GPU kernels of our own quantise and cuBLASLt
// multiplies; on a CPU both are emulated in float32, with the same quantised bits. A row's result depends on that row
// and the weights alone. Enqueues on the current stream. Throws Error(internal) for shapes or dtypes that don't fit.

#include <ATen/core/Tensor.h>

namespace trireme::kernels {

/// A matrix of which value (r, c) is values[r][c] * scales[r].
struct ScaledRows {
  at::Tensor values;  // [rows, dim] float8_e4m3fn
  at::Tensor scales;  // [rows, 1] float32
};

/// Sizes that cuBLASLt takes.
bool fits_fp8(at::IntArrayRef weight_shape);

/// x [rows, dim], bfloat16 or float32. The largest of a row becomes 448, the largest value of e4m3; others are rounded
/// to the nearest, to even. A row of zeros stays so.
ScaledRows quantise_rows(const at::Tensor& x);
/// The same bits as quantise_rows(silu_mul(a, b)), in one pass.
ScaledRows quantise_silu_mul(const at::Tensor& a, const at::Tensor& b);

/// x [rows, in] times weight [out, in] (both multiples of 16), plus bias [out] or undefined -> [rows, out] in `dtype`;
/// on a GPU that is bfloat16.
at::Tensor scaled_product(const ScaledRows& x, const ScaledRows& weight, const at::Tensor& bias, at::ScalarType dtype);

}  // namespace trireme::kernels
