#include "worker/dispatch/dispatcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/worker/dispatch/virtual_cluster.h"

namespace trireme {
namespace {

using virtual_cluster::lower_bound;
using virtual_cluster::Outcome;
using virtual_cluster::Scenario;

constexpr const char* kPolicies[] = {"static", "round_robin", "least_loaded", "weighted", "predictive"};

/// Pictures of three sizes by chance; real seconds are a fifth more than predicted, give or take 2 %.
Scenario mixed(const char* policy, int replicas, int units, unsigned seed) {
  std::mt19937 random(seed);
  Scenario scenario;
  scenario.replicas = replicas;
  scenario.dispatch.policy = policy;
  constexpr double kSizes[] = {0.25, 0.91, 2.4};
  for (int i = 0; i < units; ++i) {
    const double seconds = kSizes[random() % 3];
    scenario.predicted.push_back({seconds / 1.2});
    scenario.work.push_back(seconds * std::uniform_real_distribution<double>(0.98, 1.02)(random));
  }
  return scenario;
}

TEST(Dispatcher, RunsEveryUnitOnceUnderEveryPolicy) {
  for (const char* policy : kPolicies) {
    for (const int replicas : {1, 2, 3, 8}) {
      for (const int units : {0, 1, 5, 40}) {
        const Outcome outcome = virtual_cluster::run(mixed(policy, replicas, units, 1));
        EXPECT_EQ(std::count(outcome.ran.begin(), outcome.ran.end(), 1u), units) << policy << " on " << replicas;
      }
    }
  }
}

TEST(Dispatcher, NoOrderBeatsTheLowerBound) {
  for (const char* policy : kPolicies) {
    for (unsigned seed = 0; seed < 10; ++seed) {
      Scenario scenario = mixed(policy, 4, 30, seed);
      if (seed % 2 == 1) scenario.speed = [](int r, double) { return r == 0 ? 0.3 : 1.0; };
      EXPECT_GE(virtual_cluster::run(scenario).makespan, lower_bound(scenario) * (1 - 1e-9)) << policy << " " << seed;
    }
  }
}

TEST(Dispatcher, PredictiveKeepsMixedSizesWithinFivePerCentOfTheBoundAndBalanced) {
  for (const int replicas : {2, 4, 8}) {
    double predictive = 0, round_robin = 0;
    for (unsigned seed = 0; seed < 20; ++seed) {
      const Scenario scenario = mixed("predictive", replicas, 8 * replicas, seed);
      const Outcome outcome = virtual_cluster::run(scenario);
      EXPECT_LE(outcome.makespan, 1.05 * lower_bound(scenario)) << replicas << " replicas, seed " << seed;
      EXPECT_GE(outcome.balance(), 0.97) << replicas << " replicas, seed " << seed;
      predictive += outcome.makespan;
      round_robin += virtual_cluster::run(mixed("round_robin", replicas, 8 * replicas, seed)).makespan;
    }
    if (replicas == 2) continue;
    EXPECT_LE(predictive, 0.82 * round_robin) << replicas << " replicas: 18 % shorter";
  }
}

TEST(Dispatcher, PredictiveUsesSlowReplicasForWhatTheyCanDoInTime) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    Scenario scenario = mixed("predictive", 8, 64, seed);
    scenario.speed = [](int r, double) { return r < 2 ? 0.5 : 1.0; };
    const Outcome outcome = virtual_cluster::run(scenario);
    EXPECT_LE(outcome.makespan, 1.05 * lower_bound(scenario)) << "seed " << seed;
    EXPECT_GT(outcome.busy[0], 0.8 * outcome.makespan) << "slow, not shunned";
  }
}

TEST(Dispatcher, AReplicaThatSlowsDownGivesBackWhatItHasNotBegun) {
  Scenario scenario;
  scenario.replicas = 2;
  scenario.dispatch.policy = "predictive";
  scenario.dispatch.queue_depth = 3;
  scenario.predicted.assign(6, {1});
  scenario.work.assign(6, 1);
  scenario.changes = {0.5};
  scenario.speed = [](int r, double time) { return r == 1 && time >= 0.5 ? 0.01 : 1.0; };
  const Outcome outcome = virtual_cluster::run(scenario);
  EXPECT_EQ(outcome.moved, 2u);
  EXPECT_NEAR(outcome.busy[0], 5, 1e-9);
}

TEST(Dispatcher, QuickUnitsAreHeldUntilTheyAreAFifthOfASecond) {
  Dispatcher dispatcher({.policy = "least_loaded"}, std::vector<UnitWork>(1000, {0.001}), 1);
  std::deque<std::size_t> all(1000);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  dispatcher.plan(all);
  const auto fill = [&](double now) {
    while (dispatcher.next(0, now)) {
    }
    return dispatcher.in_hand(0);
  };
  EXPECT_EQ(fill(0), 2) << "nothing is measured yet";
  dispatcher.finished(0, 0, 0.01, 0);
  EXPECT_NEAR(fill(0.01), 20, 1) << "of 10 ms each";
}

TEST(Dispatcher, AFailedUnitTeachesNothing) {
  Dispatcher dispatcher({.policy = "predictive"}, std::vector<UnitWork>(4), 1);
  dispatcher.plan({0, 1, 2, 3});
  ASSERT_TRUE(dispatcher.next(0, 0));
  dispatcher.finished(0, 0, 0.001, std::nullopt);
  EXPECT_FALSE(dispatcher.predictor().measured());
}

}  // namespace
}  // namespace trireme
