#include "common/unit_cost.h"

#include <gtest/gtest.h>

namespace trireme {
namespace {

constexpr DeviceRates kRates{1e12, 1e12};

TEST(UnitCost, AddsUpToTheCostOfAPicture) {
  ModelShape shape;
  shape.transformer = DiffusionShape{.dim = 64, .kv_dim = 64, .feed_forward = 128, .layers = 4, .refiners = 2};
  shape.autoencoder = AutoencoderShape{.channels = {16, 32}};
  Item item;
  item.width = item.height = 64;
  item.steps = 6;
  item.guidance = 2;
  item.cfg_truncation = 0.5;
  const UnitCost cost = unit_cost(shape, {item, item}, 1, kRates);
  ASSERT_EQ(cost.passes.size(), 2u) << "three passes with two halves, three with one";
  EXPECT_EQ(cost.passes[0].count, 3);
  EXPECT_EQ(cost.passes[0].slots, 2);
  const double whole = seconds(cost_of(shape, item, guess_lengths(item)), kRates);
  EXPECT_NEAR(cost.total(), whole, 1e-9 * whole);
  double stages = cost.encode + cost.decode;
  for (const UnitCost::Pass& pass : cost.passes) {
    for (std::size_t stage : {0, 1}) stages += pass.count * pass.slots * slot_seconds(cost, pass, {0, 3, 8}, stage);
  }
  EXPECT_NEAR(stages, whole, 1e-9 * whole);
}

TEST(UnitCost, ReadsTheWeightsOncePerStepOfABatch) {
  ModelShape shape;
  shape.language =
      DecoderShape{.layers = 2, .hidden = 64, .intermediate = 128, .heads = 4, .kv_heads = 2, .head_dim = 16};
  Item item;
  item.messages = {{"user", {{ContentPart::Kind::text, "a question", 0}}}};
  item.max_new_tokens = 5;
  constexpr DeviceRates kMemoryBound{1e15, 1e9};
  const UnitCost one = unit_cost(shape, {item}, 1, kMemoryBound), four = unit_cost(shape, {item}, 4, kMemoryBound);
  EXPECT_EQ(four.passes.at(0).slots, 4) << "prompts go in one by one";
  EXPECT_EQ(four.passes.at(1).slots, 1);
  EXPECT_EQ(four.passes.at(1).count, 4);
  EXPECT_DOUBLE_EQ(four.passes[1].feed_forward, one.passes[1].feed_forward);
  EXPECT_GT(four.passes[1].attention, one.passes[1].attention) << "each row has keys and values of its own";
  EXPECT_DOUBLE_EQ(four.tokens, 20);
}

TEST(UnitCost, ChoosesATokenForEveryRow) {
  ModelShape shape;
  shape.language = DecoderShape{.layers = 2, .hidden = 64, .vocab = 1000};
  Item item;
  item.messages = {{"user", {{ContentPart::Kind::text, "a question", 0}}}};
  item.max_new_tokens = 5;
  constexpr DeviceRates kMemoryBound{1e15, 1e9};
  const double one = unit_cost(shape, {item}, 1, kMemoryBound).passes.at(1).leave;
  const double four = unit_cost(shape, {item}, 4, kMemoryBound).passes.at(1).leave;
  const double head = seconds(head_cost(*shape.language, shape.bytes_per_parameter, 1), kMemoryBound);
  EXPECT_NEAR(four - head, 4 * (one - head), 1e-12) << "the head is read once";
}

TEST(UnitCost, ScalesPhasesByWhatWasMeasured) {
  Item item;
  item.prompt = "cost=2";
  item.steps = 4;
  const ModelShape fake{.family = "fake"};
  EXPECT_NEAR(unit_cost(fake, {item}, 1, {kFakeFlopsPerSecond, 1}).total(), 2, 1e-9);
  EXPECT_NEAR(unit_cost(fake, {item}, 1, {kFakeFlopsPerSecond, 1}, {.denoise = 1.5}).total(), 3, 1e-9);
}

}  // namespace
}  // namespace trireme
