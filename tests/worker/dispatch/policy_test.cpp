#include "worker/dispatch/policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "common/errors.h"

namespace trireme {
namespace {

constexpr const char* kPolicies[] = {"static", "round_robin", "least_loaded", "weighted", "predictive"};

std::deque<std::size_t> numbered(std::size_t count) {
  std::deque<std::size_t> units(count);
  for (std::size_t i = 0; i < count; ++i) units[i] = i;
  return units;
}

// Hands out as the coordinator does, finishing random units in between; returns what each replica got.
std::vector<std::vector<std::size_t>> simulate(Policy& policy, std::size_t count, int replicas, std::size_t depth,
                                               unsigned seed) {
  std::mt19937 random(seed);
  policy.plan(numbered(count), replicas);
  std::vector<std::vector<std::size_t>> got(replicas);
  std::vector<ReplicaLoad> loads(replicas);
  const auto changed = [&](int r, int by) {
    loads[r].in_hand += by;
    loads[r].has_credit = static_cast<std::size_t>(loads[r].in_hand) < policy.depth(depth);
    loads[r].seconds_left = loads[r].in_hand;
    policy.loads_changed();
  };
  for (int quiet = 0; quiet < 3;) {
    bool moved = false;
    for (int r = 0; r < replicas; ++r) {
      while (loads[r].has_credit) {
        const auto unit = policy.next(r, loads);
        if (!unit) break;
        got[r].push_back(*unit);
        changed(r, 1);
        moved = true;
      }
    }
    for (int r = 0; r < replicas; ++r) {
      if (loads[r].in_hand > 0 && random() % 2 == 0) {
        changed(r, -1);
        moved = true;
      }
    }
    quiet =
        moved || std::any_of(loads.begin(), loads.end(), [](const auto& l) { return l.in_hand > 0; }) ? 0 : quiet + 1;
  }
  return got;
}

}  // namespace

TEST(Policy, HandsOutEveryUnitOnceWhateverFinishesFirst) {
  for (const char* name : kPolicies) {
    for (int replicas : {1, 2, 3, 4, 8}) {
      for (std::size_t count : {0, 1, 2, 3, 5, 17, 100}) {
        for (unsigned seed = 0; seed < 5; ++seed) {
          const Predictor predictor(std::vector<UnitWork>(count), replicas);
          const auto policy = make_policy(name, predictor);
          std::multiset<std::size_t> all;
          for (const auto& units : simulate(*policy, count, replicas, 2, seed)) all.insert(units.begin(), units.end());
          EXPECT_EQ(all.size(), count) << name << " replicas=" << replicas;
          EXPECT_EQ(std::set<std::size_t>(all.begin(), all.end()).size(), count) << name << " replicas=" << replicas;
          EXPECT_EQ(policy->pending(), 0u);
        }
      }
    }
  }
}

TEST(Policy, StaticSharesAreContiguousAndDifferByAtMostOne) {
  const Predictor predictor(std::vector<UnitWork>(11), 4);
  const auto policy = make_policy("static", predictor);
  const auto got = simulate(*policy, 11, 4, 1, 0);
  EXPECT_EQ(got[0], (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(got[2], (std::vector<std::size_t>{6, 7, 8}));
  EXPECT_EQ(got[3], (std::vector<std::size_t>{9, 10}));
}

TEST(Policy, RoundRobinGivesUnitIToReplicaIModuloReplicas) {
  const Predictor predictor(std::vector<UnitWork>(7), 3);
  const auto policy = make_policy("round_robin", predictor);
  EXPECT_EQ(simulate(*policy, 7, 3, 2, 1)[1], (std::vector<std::size_t>{1, 4}));
}

TEST(Policy, LeastLoadedPrefersTheReplicaWithFewestInHand) {
  const Predictor predictor(std::vector<UnitWork>(3), 2);
  const auto policy = make_policy("least_loaded", predictor);
  policy->plan(numbered(3), 2);
  EXPECT_EQ(policy->next(0, {{1}, {0}}), std::nullopt);
  EXPECT_EQ(policy->next(1, {{1}, {0}}), 0u);
  EXPECT_EQ(policy->next(0, {{1}, {1}}), 1u);
}

TEST(Policy, AReturnedUnitGoesOutFirst) {
  for (const char* name : kPolicies) {
    const Predictor predictor(std::vector<UnitWork>(4), 1);
    const auto policy = make_policy(name, predictor);
    policy->plan(numbered(4), 1);
    ASSERT_EQ(policy->next(0, {{0}}), 0u);
    policy->give_back(0, 0);
    EXPECT_EQ(policy->pending(), 4u);
    EXPECT_EQ(policy->next(0, {{0}}), 0u) << name;
  }
}

TEST(Policy, WeightedLeavesTheUnitToAReplicaThatIsFasterForWhatItHolds) {
  Predictor predictor(std::vector<UnitWork>(9), 2);
  predictor.finished(0, 0, 1, 0);
  predictor.finished(1, 1, 4, 0);
  const auto policy = make_policy("weighted", predictor);
  policy->plan(numbered(3), 2);
  EXPECT_EQ(policy->next(1, {{1}, {0}}), std::nullopt) << "four times as fast, so it may hold four times as many";
  EXPECT_EQ(policy->next(0, {{1}, {0}}), 0u);
  EXPECT_EQ(policy->next(1, {{4}, {0}}), 1u);
  EXPECT_EQ(policy->next(1, {{1, false}, {0}}), 2u) << "the faster one has no credit";
}

TEST(Policy, PredictiveHandsOutTheLongestFirst) {
  const Predictor predictor({{1}, {5}, {2}, {5}}, 1);
  const auto policy = make_policy("predictive", predictor);
  policy->plan(numbered(4), 1);
  std::vector<std::size_t> order;
  while (const auto unit = policy->next(0, {{0, true, 0}})) order.push_back(*unit);
  EXPECT_EQ(order, (std::vector<std::size_t>{1, 3, 2, 0}));
}

TEST(Policy, PredictiveKeepsALongUnitFromASlowReplicaThatWouldEndLast) {
  Predictor predictor({{10}, {1}, {1}, {1}}, 2);
  predictor.finished(1, 0, 1, 0);
  predictor.finished(2, 1, 8, 0);
  const auto policy = make_policy("predictive", predictor);
  policy->plan({0, 3}, 2);
  // The fast one has no credit: the slow one would take 80 s for the long unit, and 8 s for the short one.
  const std::vector<ReplicaLoad> loads{{1, false, 2}, {0, true, 0}};
  EXPECT_EQ(policy->next(1, loads), 3u);
  EXPECT_EQ(policy->next(1, {{1, false, 2}, {1, true, 8}}), std::nullopt) << "better idle than last";
  policy->loads_changed();
  EXPECT_EQ(policy->next(0, {{0, true, 0}, {1, true, 8}}), 0u);
}

TEST(Policy, UnknownNamesAreRefusedWithTheList) {
  try {
    make_policy("fastest", Predictor({}, 1));
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("least_loaded, weighted, predictive"), std::string::npos);
  }
}

}  // namespace trireme
