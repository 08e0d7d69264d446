#include "worker/nn/rope.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "worker/nn/upload.h"

namespace trireme::nn {

RopeTable rope_table(const at::Tensor& positions, std::int64_t head_dim, const RopeFrequencies& frequencies) {
  const at::Tensor exponents = at::arange(0, head_dim, 2, at::kFloat) / static_cast<double>(head_dim);
  at::Tensor inverse = at::pow(frequencies.theta, exponents).reciprocal();
  if (frequencies.linear_factor != 1) inverse = inverse / frequencies.linear_factor;
  const at::Tensor angles = at::outer(positions.to(at::kFloat), inverse);
  return {angles.cos(), angles.sin()};
}

RopeTable axis_rope_table(const std::vector<AxisIds>& ids, const std::vector<std::int64_t>& dims, double theta) {
  std::vector<at::Tensor> cos, sin;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    const at::Tensor index = at::empty({static_cast<std::int64_t>(ids.size())}, at::kLong);
    std::int64_t* rows = index.data_ptr<std::int64_t>();
    std::int64_t highest = 0;
    for (std::size_t token = 0; token < ids.size(); ++token) {
      rows[token] = ids[token][axis];
      highest = std::max(highest, rows[token]);
    }
    const at::Tensor exponents = at::arange(0, dims[axis], 2, at::kDouble) / static_cast<double>(dims[axis]);
    const at::Tensor inverse = at::pow(theta, exponents).reciprocal();
    const at::Tensor angles = at::outer(at::arange(0, highest + 1, at::kDouble), inverse).to(at::kFloat);
    const at::Tensor turns = at::view_as_real(at::polar(at::ones_like(angles), angles));  // [positions, dim / 2, 2]
    cos.push_back(turns.select(2, 0).index_select(0, index));
    sin.push_back(turns.select(2, 1).index_select(0, index));
  }
  return {at::cat(cos, 1), at::cat(sin, 1)};
}

RopeTable concatenate(const RopeTable& a, const RopeTable& b) {
  return {at::cat({a.cos, b.cos}), at::cat({a.sin, b.sin})};
}

RopeTable upload(const RopeTable& table, at::Device device) {
  return {nn::upload(table.cos, device), nn::upload(table.sin, device)};
}

}  // namespace trireme::nn
