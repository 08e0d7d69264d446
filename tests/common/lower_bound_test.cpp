#include "common/lower_bound.h"

#include <gtest/gtest.h>

namespace trireme {

TEST(LowerBound, IsTheMeanWhereWorkCanBeSpreadEvenly) {
  EXPECT_DOUBLE_EQ(lower_bound_seconds({1, 1, 1, 1}, 2), 2);
  EXPECT_DOUBLE_EQ(lower_bound_seconds({3, 1, 1, 1}, 2), 3);
}

TEST(LowerBound, IsTheLongestUnitWhereThatIsMore) { EXPECT_DOUBLE_EQ(lower_bound_seconds({9, 1, 1}, 4), 9); }

TEST(LowerBound, KnowsThatOneOfTwoReplicasGetsThreeOfFiveEqualUnits) {
  EXPECT_DOUBLE_EQ(lower_bound_seconds({2, 2, 2, 2, 2}, 2), 6);
  EXPECT_DOUBLE_EQ(lower_bound_seconds({5, 4, 3, 1, 1}, 2), 7) << "two of the three longest are on one replica: 3 + 4";
}

TEST(LowerBound, OfOneReplicaIsTheSumAndOfNothingIsNothing) {
  EXPECT_DOUBLE_EQ(lower_bound_seconds({1, 2, 3}, 1), 6);
  EXPECT_DOUBLE_EQ(lower_bound_seconds({}, 3), 0);
}

TEST(LowerBound, CountsWhatWasDoneSideBySideOnce) {
  EXPECT_EQ(without_overlap({4, 2, 2}, 4), (std::vector<double>{2, 1, 1}));
  EXPECT_EQ(without_overlap({4, 2, 2}, 9), (std::vector<double>{4, 2, 2}))
      << "replicas are busy with other things, too";
  EXPECT_TRUE(without_overlap({}, 1).empty());
}

}  // namespace trireme
