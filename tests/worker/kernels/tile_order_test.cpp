#include "worker/kernels/tile_order.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace trireme::kernels {
namespace {

TEST(PlaceInGroups, VisitsEveryPlaceOnceGroupByGroup) {
  for (const int group : {1, 2, 7, 13, 100}) {
    constexpr int kDown = 5, kAcross = 13;
    std::set<std::pair<int, int>> seen;
    int last_group = 0;
    for (int number = 0; number < kDown * kAcross; ++number) {
      const TilePlace at = place_in_groups(number, kDown, kAcross, group);
      EXPECT_TRUE(at.down >= 0 && at.down < kDown && at.across >= 0 && at.across < kAcross);
      EXPECT_TRUE(seen.insert({at.down, at.across}).second);
      EXPECT_GE(at.across / group, last_group);
      last_group = at.across / group;
    }
  }
  const TilePlace second_row = place_in_groups(7, 5, 13, 7), second_group = place_in_groups(5 * 7 + 6, 5, 13, 7);
  EXPECT_TRUE(second_row.down == 1 && second_row.across == 0);
  EXPECT_TRUE(second_group.down == 1 && second_group.across == 7) << "the last group has six";
}

}  // namespace
}  // namespace trireme::kernels
