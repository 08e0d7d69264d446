#pragma once
// Tables of rotary position embedding. They are made on the host in the reference's own precision (a table in bfloat16,
// or angles rounded once more, visibly hurts) and are uploaded once per item.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "worker/kernels/rope.h"

namespace trireme::nn {

using kernels::RopeTable;

/// Frequencies 1 / theta^(2i / head_dim) / factor and angles in float32. positions [tokens] int64 on the host.
/// Ref: transformers modeling_rope_utils.py, default and linear.
struct RopeFrequencies {
  double theta = 10000;
  double linear_factor = 1;  // positions are divided by this
};
RopeTable rope_table(const at::Tensor& positions, std::int64_t head_dim, const RopeFrequencies& frequencies);

/// A position on three axes (caption or frame, row, column).
using AxisIds = std::array<std::int64_t, 3>;

/// Three axes side by side, angles in float64 rounded to float32: token i turns by ids[i][a] over `dims[a]` elements of
/// its heads. Host tensors. Ref: diffusers transformer_z_image.py RopeEmbedder.
RopeTable axis_rope_table(const std::vector<AxisIds>& ids, const std::vector<std::int64_t>& dims, double theta);

/// The rows of `a`, then those of `b`.
RopeTable concatenate(const RopeTable& a, const RopeTable& b);
RopeTable upload(const RopeTable& table, at::Device device);

}  // namespace trireme::nn
