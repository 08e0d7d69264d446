#pragma once
// A gated feed-forward's first half as one product: silu(x · w1ᵀ) * (x · w3ᵀ), without the two products ever being in
// memory. The weight's rows stand in an order of their own (pair_order.h), in which `in_pairs` puts them once, behind
// loading. On Hopper GPUs, in builds with CUTLASS, a kernel of our own; elsewhere plain ATen with the same rounding
// points, which is no faster than a stacked weight: who loads asks `has_gated_product` first. A row's result depends on
// that row and the weight alone. Enqueues on the current stream. Throws Error(internal) for shapes or dtypes that don't
// fit.

#include <ATen/core/Tensor.h>

#include <string>

namespace trireme::kernels {

/// The kernel is in this build, and for this device and dtype. The same answer for the whole run.
bool has_gated_product(c10::Device device, at::ScalarType dtype);
/// The version compiled in; empty in a build without the kernel.
std::string cutlass_version_text();

/// [rows, in], rows a multiple of 16 and in of 8.
bool fits_pairs(at::IntArrayRef weight_shape);
/// stacked [2 * dim, in], w1's rows and then w3's -> a new tensor of the same shape, its rows in the order of pairs.
at::Tensor in_pairs(const at::Tensor& stacked);

/// x [rows, in], weight [2 * dim, in] in the order of pairs -> [rows, dim]. Rounded as silu_mul of the products is.
at::Tensor gated_product(const at::Tensor& x, const at::Tensor& weight);

}  // namespace trireme::kernels
