#pragma once
// Passes over pictures [N, C, H, W] that convolutions leave to us: biases with the sum behind a residual block,
// pictures of twice the size put together, and the bytes in the end. On a GPU kernels of our own, the first two where
// channels are last and a multiple of 8, else plain ATen with the same rounding points. Enqueues on the current stream.
// Throws Error(internal) for shapes or dtypes that don't fit.

#include <ATen/core/Tensor.h>

namespace trireme::kernels {

/// A picture of bfloat16 or float32, and a bias [C] that is still to be added (undefined: none).
struct Biased {
  at::Tensor x, bias;
};

/// a = (a + its bias) + (b + its bias), each sum rounded; without `b`: a + its bias. Gives a.
at::Tensor add_biased_(const Biased& a, const Biased& b = {});

/// A 3x3 convolution of a picture whose every pixel stands twice in both directions sees four kinds of pixel, and each
/// kind sees no more than 2x2 pixels of the picture itself: 16 products where there were 36. weight [O, I, 3, 3] ->
/// [4 O, I, 2, 2], channels last: rows of the weight that meet the same pixel are summed in float32. Kind 2 a + b: odd
/// (1) or even (0) row a, column b of the doubled picture.
at::Tensor fold_doubling(const at::Tensor& weight);

/// What the folded weight makes of a picture [N, C, H, W] with a padding of 1, y [N, 4 O, H + 1, W + 1] -> y's four
/// kinds in their places [N, O, 2 H, 2 W], and the bias [O] added (undefined: none).
at::Tensor join_doubled(const at::Tensor& y, const at::Tensor& bias);

/// image [3, H, W], about -1 to 1 -> [H, W, 3] uint8, the nearest, halves to even. In float32 whatever the image's
/// dtype, as bfloat16 has fewer steps than a picture. Ref: diffusers image_processor.py.
at::Tensor to_bytes(const at::Tensor& image);

}  // namespace trireme::kernels
