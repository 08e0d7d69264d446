#include "common/median.h"

#include <gtest/gtest.h>

namespace trireme {
namespace {

TEST(Median, IsTheMiddleOneOrTheMeanOfTheTwoInTheMiddle) {
  EXPECT_EQ(median({5}), 5);
  EXPECT_EQ(median({9, 1, 4}), 4);
  EXPECT_EQ(median({8, 1, 2, 100}), 5);
  EXPECT_EQ(median({3, 3, 3, 1}), 3);
}

TEST(Median, OfNothingIsZero) { EXPECT_EQ(median({}), 0); }

}  // namespace
}  // namespace trireme
