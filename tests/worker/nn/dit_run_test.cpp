#include "worker/nn/dit_run.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "worker/weights/loader.h"

namespace trireme::nn {
namespace {

constexpr std::int64_t kBlocks = 4;

/// Four blocks with random weights, of which a stage has `own`: the first refines, the others are layers.
struct Case {
  explicit Case(Layers own_layers = {0, kBlocks - 1}) : own(own_layers) {
    config.dim = 48, config.heads = 3, config.kv_heads = 1, config.head_dim = 16;
    config.feed_forward = 64, config.condition_dim = 8;
    DitBlockNames names;
    names.qkv = "qkv", names.to_out = "out", names.norm_q = "norm_q", names.norm_k = "norm_k";
    names.w1 = "w1", names.w2 = "w2", names.w3 = "w3", names.modulation = "modulation";
    names.attention_norm1 = "n1", names.attention_norm2 = "n2", names.ffn_norm1 = "n3", names.ffn_norm2 = "n4";
    PartParameters wanted;
    for (std::size_t i = 0; i < kBlocks; ++i) {
      DitBlock& block = i == 0 ? refiners[0] : layers[i - 1];
      block.want(wanted["transformer"], std::to_string(i) + ".", config, names, /*modulated=*/true);
    }
    make_dummy_weights(wanted, at::kFloat, at::kCPU);
    at::manual_seed(3);
    x = at::randn({12, 48}), vectors = at::randn({6, 8}) * 20;
    const at::Tensor angle = at::randn({12, 8});
    rope = {angle.cos(), angle.sin()};
  }
  DitRun refiner_run() const { return {refiners, {0, 1}}; }
  DitRun layer_run() const { return {layers, own, 1}; }
  DitRows pass(const DitCondition& condition, DitRows rows) const {
    rows = run_block(refiner_run(), 0, rows, rope, condition, config);
    rows.norm.reset();  // captions come in
    for (int i = own.first; i < own.last; ++i) {
      rows = run_block(layer_run(), static_cast<std::size_t>(i), rows, rope, condition, config, own.part(i));
    }
    return rows;
  }

  Layers own;
  DitBlockConfig config;
  std::vector<DitBlock> refiners{1}, layers{kBlocks - 1};
  at::Tensor x, vectors;
  RopeTable rope;
};

TEST(DitRun, GivesTheBitsOfBlocksThatMakeTheirOwn) {
  const Case c;
  const auto ahead = conditions(c.vectors, {c.refiner_run(), c.layer_run()}, /*factors=*/true);
  ASSERT_EQ(ahead.size(), 6U);
  for (std::size_t pass = 0; pass < ahead.size(); ++pass) {
    const DitCondition alone{ahead[pass].vector, {}};
    const DitRows rows = c.pass(ahead[pass], {c.x, {}}), expected = c.pass(alone, {c.x, {}});
    EXPECT_TRUE(at::equal(rows.hidden, expected.hidden));
    EXPECT_FALSE(rows.norm.defined()) << "behind the last block";
  }
}

TEST(DitRun, EndsWithItsStage) {
  const Case c({0, 2});
  const auto all = conditions(c.vectors, {c.refiner_run(), c.layer_run()}, /*factors=*/true);
  EXPECT_EQ(all[0].factors.size(0), 3);
  const DitRows first = run_block(c.layer_run(), 0, {c.x, {}}, c.rope, all[0], c.config);
  EXPECT_TRUE(first.norm.defined());
  EXPECT_FALSE(run_block(c.layer_run(), 1, first, c.rope, all[0], c.config).norm.defined());
}

TEST(DitRun, MakesNothingAheadOfWeightsThatComeAndGo) {
  const Case c;
  const auto each = conditions(c.vectors, {c.refiner_run(), c.layer_run()}, /*factors=*/false);
  EXPECT_FALSE(each[0].factors.defined());
  EXPECT_FALSE(run_block(c.layer_run(), 0, {c.x, {}}, c.rope, each[0], c.config).norm.defined());
}

TEST(PassConditions, AreMadeForAFewPassesAtATime) {
  PassConditions passes;
  std::vector<std::pair<int, int>> made;
  const auto make = [&](int first, int count) {
    made.emplace_back(first, count);
    std::vector<DitCondition> conditions;
    for (int i = 0; i < count; ++i) conditions.push_back({at::full({1}, first + i), {}});
    return conditions;
  };
  for (int pass = 0; pass < 9; ++pass) {
    for (int half = 0; half < 2; ++half) EXPECT_EQ(passes.of(pass, 9, make).vector.item<int>(), pass);
  }
  EXPECT_EQ(made, (std::vector<std::pair<int, int>>{{0, 4}, {4, 4}, {8, 1}}));
}

}  // namespace
}  // namespace trireme::nn
