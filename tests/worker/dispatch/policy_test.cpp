#include "worker/dispatch/policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "common/errors.h"

namespace trireme {
namespace {

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
  for (int quiet = 0; quiet < 3;) {
    bool moved = false;
    for (int r = 0; r < replicas; ++r) {
      while (static_cast<std::size_t>(loads[r].in_hand) < policy.depth(depth)) {
        const auto unit = policy.next(r, loads);
        if (!unit) break;
        got[r].push_back(*unit);
        ++loads[r].in_hand;
        moved = true;
      }
    }
    for (int r = 0; r < replicas; ++r) {
      if (loads[r].in_hand > 0 && random() % 2 == 0) {
        --loads[r].in_hand;
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
  for (const char* name : {"static", "round_robin", "least_loaded"}) {
    for (int replicas : {1, 2, 3, 4, 8}) {
      for (std::size_t count : {0, 1, 2, 3, 5, 17, 100}) {
        for (unsigned seed = 0; seed < 5; ++seed) {
          const auto policy = make_policy(name);
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
  const auto policy = make_policy("static");
  const auto got = simulate(*policy, 11, 4, 1, 0);
  EXPECT_EQ(got[0], (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(got[2], (std::vector<std::size_t>{6, 7, 8}));
  EXPECT_EQ(got[3], (std::vector<std::size_t>{9, 10}));
}

TEST(Policy, RoundRobinGivesUnitIToReplicaIModuloReplicas) {
  const auto policy = make_policy("round_robin");
  EXPECT_EQ(simulate(*policy, 7, 3, 2, 1)[1], (std::vector<std::size_t>{1, 4}));
}

TEST(Policy, LeastLoadedPrefersTheReplicaWithFewestInHand) {
  const auto policy = make_policy("least_loaded");
  policy->plan(numbered(3), 2);
  EXPECT_EQ(policy->next(0, {{1}, {0}}), std::nullopt);
  EXPECT_EQ(policy->next(1, {{1}, {0}}), 0u);
  EXPECT_EQ(policy->next(0, {{1}, {1}}), 1u);
}

TEST(Policy, AReturnedUnitGoesOutFirst) {
  for (const char* name : {"static", "round_robin", "least_loaded"}) {
    const auto policy = make_policy(name);
    policy->plan(numbered(4), 1);
    ASSERT_EQ(policy->next(0, {{0}}), 0u);
    policy->give_back(0, 0);
    EXPECT_EQ(policy->pending(), 4u);
    EXPECT_EQ(policy->next(0, {{0}}), 0u) << name;
  }
}

TEST(Policy, UnknownNamesAreRefusedWithTheList) {
  try {
    make_policy("fastest");
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("least_loaded"), std::string::npos);
  }
}

}  // namespace trireme
