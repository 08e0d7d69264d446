#include "common/ring_forecast.h"

#include <gtest/gtest.h>

#include <numeric>

namespace trireme {
namespace {

/// `passes` passes over four layers, of a second for each stage of two.
UnitCost even_cost(int passes) {
  UnitCost cost;
  cost.layers = 4;
  cost.passes = {{.count = passes, .slots = 1, .attention = 0.25, .feed_forward = 0.25}};
  return cost;
}

TEST(RingForecast, HasTheBubbleOfTheFormula) {
  for (const int units : {2, 4, 8}) {
    for (const int passes : {1, 8}) {
      const RingForecast ring = forecast(even_cost(passes), {{0, 4, 8}, units, {}, 0});
      EXPECT_DOUBLE_EQ(ring.seconds, units * passes + 1) << "M T + P - 1 beats";
      EXPECT_DOUBLE_EQ(ring.one_rank_seconds, 2.0 * units * passes);
      EXPECT_NEAR(ring.loss.fill, 1.0 / (units * passes + 1), 1e-12);
      EXPECT_NEAR(ring.loss.imbalance, 0, 1e-12);
      EXPECT_NEAR(ring.loss.transfer, 0, 1e-12);
      EXPECT_NEAR(ring.efficiency(2), 1 - ring.loss.sum(), 1e-12);
    }
  }
}

TEST(RingForecast, OneUnitAloneKeepsOneStageBusyAtATime) {
  const RingForecast ring = forecast(even_cost(5), {{0, 4, 8}, 1, {}, 0});
  EXPECT_DOUBLE_EQ(ring.seconds, 10);
  EXPECT_NEAR(ring.loss.fill, 0.5, 1e-12);
}

TEST(RingForecast, NamesImbalanceAndTransfer) {
  const RingForecast uneven = forecast(even_cost(8), {{0, 2, 8}, 4, {}, 0});
  EXPECT_GT(uneven.loss.imbalance, 0.3);
  EXPECT_NEAR(uneven.efficiency(2), 1 - uneven.loss.sum(), 1e-12);
  const RingForecast slow = forecast(even_cost(8), {{0, 4, 8}, 4, {}, 0.1});
  EXPECT_NEAR(slow.loss.transfer, 0.09, 0.01);
  EXPECT_NEAR(slow.loss.imbalance, 0, 1e-12);
}

TEST(RingForecast, CountsEncodingAndDecodingBesideTheRing) {
  UnitCost cost = even_cost(8);
  cost.encode = 0.5, cost.decode = 1;
  const RingForecast ring = forecast(cost, {{0, 4, 8}, 4, {}, 0});
  EXPECT_GT(ring.seconds, 34) << "33 beats and the last decoding, and what the others take from slots";
  EXPECT_LT(ring.seconds, 33 + 4 + 1.5);
  EXPECT_DOUBLE_EQ(ring.one_rank_seconds, 4 * 17.5 - 0.5) << "the clock starts behind the first encoding";
}

TEST(RingForecast, EncodesTwoUnitsAheadWhileTheFirstStageIsIdle) {
  UnitCost cost = even_cost(8);
  cost.encode = 3;
  const RingForecast idle = forecast(cost, {{0, 2, 8}, 6, {}, 0});
  cost.encode = 0;
  const RingForecast none = forecast(cost, {{0, 2, 8}, 6, {}, 0});
  EXPECT_LE(idle.seconds, none.seconds + 3.5) << "the first unit goes on meanwhile, and later ones are encoded by then";
  EXPECT_GT(idle.seconds, none.seconds);
}

TEST(RingForecast, EncodesBesideTheSlotsOfABusyStage) {
  UnitCost cost = even_cost(8);
  const double none = forecast(cost, {{0, 4, 8}, 6, {}, 0}).seconds;
  cost.encode = 0.25;
  const RingForecast ring = forecast(cost, {{0, 4, 8}, 6, {}, 0});
  EXPECT_LE(ring.seconds, none + 5 * 0.25 + 1) << "no unit waits for its prompt until another has left";
  EXPECT_LT(ring.loss.fill, 0.05);
}

// A stage that sends does not wait, so that slots of different length even out where nothing comes back in between.
TEST(RingLoss, IsWhatNoOrderOfTheSlotsExplains) {
  const RingLoss apart = ring_loss({{{1, 3, 1, 3}, {3, 1, 3, 1}}, {}}, 9);
  EXPECT_DOUBLE_EQ(apart.fill * 18, 1 + 1) << "before the second stage's first slot, and behind the first one's last";
  EXPECT_DOUBLE_EQ(apart.imbalance * 18, 0);
  EXPECT_NEAR(apart.transfer, 0, 1e-12);
  const RingLoss coupled = ring_loss({{{1, 3, 1, 3}, {3, 1, 3, 1}}, {true, true, true, true}}, 10);
  EXPECT_DOUBLE_EQ(coupled.imbalance * 18, 0) << "slot 2 finds the state of slot 0 there";
  EXPECT_DOUBLE_EQ(coupled.transfer * 20, 2);
  const RingLoss uneven = ring_loss({{{1, 1, 1, 1}, {2, 2, 2, 2}}, {true, true, true, true}}, 9);
  EXPECT_DOUBLE_EQ(uneven.imbalance * 18, 2) << "the first stage waits a second for slots 0 and 1 to come back";
  EXPECT_DOUBLE_EQ(uneven.fill * 18, 1 + 3);
}

TEST(RingLoss, CountsWaitsBehindEmptySlotsAsFill) {
  const RingLoss alone = ring_loss({{{1, -1, 1}, {1, -1, 1}}, {true, false, true}}, 4);
  EXPECT_DOUBLE_EQ(alone.fill * 8, 4);
  EXPECT_DOUBLE_EQ(alone.imbalance, 0);
}

TEST(RingForecast, StagesShareTheDecoding) {
  UnitCost cost = even_cost(8);
  cost.decode = 4;
  const RingForecast ring = forecast(cost, {{0, 4, 8}, 4, {}, 0});
  EXPECT_GE(ring.seconds, 33 + 2 * 4 - 2) << "33 beats, and each stage decodes two of four";
  EXPECT_LE(ring.seconds, 33 + 2 * 4 + 2);
  EXPECT_GT(ring.efficiency(2), 0.97);
}

TEST(RingForecast, DecodesBesideTheSlotsOfABusyStage) {
  UnitCost cost = even_cost(8);
  const RingForecast none = forecast(cost, {{0, 4, 8}, 8, {}, 0});
  cost.decode = 1;
  const RingForecast ring = forecast(cost, {{0, 4, 8}, 8, {}, 0});
  EXPECT_GT(ring.loss.imbalance, none.loss.imbalance) << "slots become longer here and there";
  EXPECT_LE(ring.seconds, none.seconds + 4 + 1.5) << "each stage decodes four of eight";
}

TEST(RingForecast, GuidanceHalvesFollowEachOther) {
  UnitCost cost = even_cost(8);
  cost.passes[0].slots = 2;
  const RingForecast ring = forecast(cost, {{0, 4, 8}, 8, {}, 0});
  EXPECT_NEAR(ring.efficiency(2), 1, 0.03) << "two units in the ring, two halves each: no stage waits for both halves";
}

TEST(RingForecast, OneStageIsOneRank) { EXPECT_DOUBLE_EQ(forecast(even_cost(8), {{0, 8}, 4, {}, 0.1}).seconds, 64); }

}  // namespace
}  // namespace trireme
