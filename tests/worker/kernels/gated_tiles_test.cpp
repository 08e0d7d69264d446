#include "worker/kernels/gated_tiles.h"

#include <gtest/gtest.h>

namespace trireme::kernels {
namespace {

constexpr int kH200 = 132;  // multiprocessors

/// Rows of the tile that is taken.
int rows_of_tile(int rows, int weight_rows, int multiprocessors = kH200) {
  return kGatedTiles.at(choose_gated_tile(rows, weight_rows, multiprocessors)).rows;
}

TEST(GatedTiles, OfTheModelsShapesAreThoseOfTheMeasurements) {
  EXPECT_EQ(rows_of_tile(4160, 20480), 160) << "Z-Image, 1024 x 1024";
  EXPECT_EQ(rows_of_tile(4352, 20480), 336) << "four of 512 x 512";
  EXPECT_EQ(rows_of_tile(4224, 20480), 336) << "with captions of up to 32 tokens";
  EXPECT_EQ(rows_of_tile(4352, 18432), 256) << "NewBie-image";
  EXPECT_EQ(rows_of_tile(1056, 20480), 272) << "not measured: 512 x 512 with captions of up to 32 tokens";
  EXPECT_EQ(rows_of_tile(1088, 20480), 272);
  EXPECT_EQ(rows_of_tile(1120, 20480), 288);
  EXPECT_EQ(rows_of_tile(1152, 20480), 288);
  EXPECT_EQ(rows_of_tile(64, 20480), 64) << "a caption";
  EXPECT_EQ(rows_of_tile(256, 20480), 64);
}

TEST(GatedTiles, ExistForEveryShapeAndGpu) {
  for (const int multiprocessors : {1, 2, 78, 114, 132}) {
    for (const int rows : {1, 1000, 100'000}) {
      EXPECT_LT(choose_gated_tile(rows, 16, multiprocessors), kGatedTiles.size());
      EXPECT_LT(choose_gated_tile(rows, 20480, multiprocessors), kGatedTiles.size());
    }
  }
}

TEST(GatedTiles, AreWalkedInGroupsOfRowsThatStayInTheCache) {
  const GatedTile &large = kGatedTiles.at(choose_gated_tile(4352, 20480, kH200)),
                  &exact = kGatedTiles.at(choose_gated_tile(1088, 20480, kH200));
  EXPECT_EQ(clusters_together(large, 4352, 3840), 7) << "two groups of 13: 7 and 6";
  EXPECT_EQ(clusters_together(kGatedTiles.front(), 4160, 3840), 7) << "pairs of tiles, of 13, too";
  EXPECT_EQ(clusters_together(exact, 1088, 3840), 4) << "all";
  EXPECT_EQ(clusters_together(large, 1, 8), 1);
  EXPECT_EQ(clusters_together(large, 16896, 3840), 7) << "8 groups of 51";
}

}  // namespace
}  // namespace trireme::kernels
