#pragma once
// Passes over pictures [N, C, H, W] that convolutions leave to us: biases with the sum behind a residual block,
// doubling, and the bytes in the end. On a GPU kernels of our own, the first two where channels are last and a multiple
// of 8, else plain ATen with the same rounding points. Enqueues on the current stream. Throws Error(internal) for
// shapes or dtypes that don't fit.

#include <ATen/core/Tensor.h>

namespace trireme::kernels {

/// A picture of bfloat16 or float32, and a bias [C] that is still to be added (undefined: none).
struct Biased {
  at::Tensor x, bias;
};

/// a = (a + its bias) + (b + its bias), each sum rounded; without `b`: a + its bias. Gives a.
at::Tensor add_biased_(const Biased& a, const Biased& b = {});

/// Every pixel twice, in both directions. Ref: torch upsample_nearest2d, factor 2.
at::Tensor double_pixels(const at::Tensor& x);

/// image [3, H, W], about -1 to 1 -> [H, W, 3] uint8, the nearest, halves to even. In float32 whatever the image's
/// dtype, as bfloat16 has fewer steps than a picture. Ref: diffusers image_processor.py.
at::Tensor to_bytes(const at::Tensor& image);

}  // namespace trireme::kernels
