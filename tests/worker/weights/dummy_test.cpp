#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/worker/weights/checkpoint_writer.h"
#include "worker/weights/loader.h"

namespace trireme {
namespace {

struct Slots {
  at::Tensor matrix, rows, norm, bias;
};

PartParameters want_all(Slots& slots) {
  PartParameters wanted;
  wanted["transformer"].want("a.weight", {300, 200}, &slots.matrix);
  wanted["transformer"].want_rows("qkv.weight", {30, 4}, 10, 5, &slots.rows);
  wanted["transformer"].want("norm.weight", {7}, &slots.norm);
  wanted["transformer"].want("a.bias", {7}, &slots.bias);
  return wanted;
}

TEST(DummyWeights, HaveTheShapesAndSpreadOfWeights) {
  Slots slots;
  const LoadReport report = make_dummy_weights(want_all(slots), at::kBFloat16, at::kCPU);
  EXPECT_EQ(slots.matrix.sizes(), at::IntArrayRef({300, 200}));
  EXPECT_EQ(slots.rows.sizes(), at::IntArrayRef({5, 4}));
  EXPECT_EQ(slots.matrix.scalar_type(), at::kBFloat16);
  EXPECT_NEAR(slots.matrix.to(at::kDouble).std().item<double>(), 0.02,
              0.0005);  // 60 000 draws: 0.3 % of 0.02 is one sigma
  EXPECT_NEAR(slots.matrix.to(at::kDouble).mean().item<double>(), 0, 0.0005);
  EXPECT_TRUE(at::equal(slots.norm, at::ones({7}, at::kBFloat16)));
  EXPECT_TRUE(at::equal(slots.bias, at::zeros({7}, at::kBFloat16)));
  EXPECT_EQ(report.bytes_kept, 2u * (300 * 200 + 20 + 7 + 7));
}

TEST(DummyWeights, DependOnPartAndNameAlone) {
  Slots slots;
  make_dummy_weights(want_all(slots), at::kFloat, at::kCPU);
  at::Tensor alone, elsewhere;
  PartParameters wanted;
  wanted["transformer"].want("a.weight", {300, 200}, &alone);
  wanted["vae"].want("a.weight", {300, 200}, &elsewhere);
  make_dummy_weights(wanted, at::kFloat, at::kCPU);
  EXPECT_TRUE(test::same_bits(slots.matrix, alone));
  EXPECT_FALSE(test::same_bits(slots.matrix, elsewhere));
}

}  // namespace
}  // namespace trireme
