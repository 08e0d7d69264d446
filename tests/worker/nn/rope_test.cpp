#include "worker/nn/rope.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace trireme::nn {
namespace {

TEST(AxisRopeTable, TurnsEachAxisByItsOwnPosition) {
  const std::vector<AxisIds> ids = {{0, 0, 0}, {33, 2, 5}};
  const RopeTable table = axis_rope_table(ids, {8, 12, 12}, 256.0);
  ASSERT_EQ(table.cos.sizes(), at::IntArrayRef({2, 16}));
  std::size_t column = 0;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const int dim = axis == 0 ? 8 : 12;
    for (int k = 0; k < dim; k += 2, ++column) {
      const float angle = static_cast<float>(static_cast<double>(ids[1][axis]) * std::pow(256.0, -double(k) / dim));
      EXPECT_EQ(table.cos[0][column].item<float>(), 1.0f);
      EXPECT_EQ(table.sin[0][column].item<float>(), 0.0f);
      EXPECT_NEAR(table.cos[1][column].item<float>(), std::cos(angle), 1e-7);
      EXPECT_NEAR(table.sin[1][column].item<float>(), std::sin(angle), 1e-7);
    }
  }
}

TEST(RopeTable, LinearScalingDividesPositions) {
  const at::Tensor positions = at::arange(0, 64, 8, at::kLong);
  const RopeTable scaled = rope_table(positions, 16, {.theta = 10000, .linear_factor = 8});
  const RopeTable plain = rope_table(at::arange(0, 8, at::kLong), 16, {.theta = 10000});
  EXPECT_TRUE(at::allclose(scaled.cos, plain.cos, 1e-6, 1e-7));
  EXPECT_TRUE(at::allclose(scaled.sin, plain.sin, 1e-6, 1e-7));
}

}  // namespace
}  // namespace trireme::nn
