#include "worker/vision/tiling.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace trireme {
namespace {

AutoencoderConfig released() {
  AutoencoderConfig config;
  config.channels = {128, 256, 512, 512};
  config.sample_size = 1024;
  return config;
}

TEST(Tiling, IsChosenByShapeAlone) {
  EXPECT_FALSE(choose_tiling(released(), 128, 128, std::nullopt));  // 1024 x 1024 pixels
  EXPECT_FALSE(choose_tiling(released(), 192, 192, std::nullopt));
  EXPECT_TRUE(choose_tiling(released(), 194, 192, std::nullopt));
  EXPECT_TRUE(choose_tiling(released(), 130, 64, true));
  EXPECT_FALSE(choose_tiling(released(), 256, 256, false));
}

TEST(Tiling, NeverCutsWhatFitsInOneTile) { EXPECT_FALSE(choose_tiling(released(), 128, 96, true)); }

// memory.on_oom: degrade
TEST(Tiling, HalvesTilesWhereMemoryIsShort) {
  const Tiling once = *choose_tiling(released(), 128, 128, std::nullopt, 1),
               twice = *choose_tiling(released(), 128, 96, false, 2);
  EXPECT_EQ(once.tile, 64) << "of 512 pixels: a picture that fits in one tile is cut, too";
  EXPECT_EQ(once.keep_pixels + once.blend_pixels, 512);
  EXPECT_EQ(twice.tile, 32);
  EXPECT_FALSE(choose_tiling(released(), 32, 32, true, 2));
  AutoencoderConfig config;
  config.channels = {8};  // a latent is one pixel
  config.sample_size = 32;
  const at::Tensor picture = at::arange(3 * 30 * 41, at::kFloat).reshape({1, 3, 30, 41});
  const Tiling tiling = *choose_tiling(config, 30, 41, std::nullopt, 1);
  TileJoiner joiner(tiling);
  for (std::int64_t row = 0; row < tiling.rows; ++row) {
    for (std::int64_t column = 0; column < tiling.columns; ++column) {
      joiner.add(cut_tile(tiling, picture, row, column).clone());
    }
  }
  EXPECT_TRUE(at::allclose(joiner.finish(), picture, 1e-6));
}

TEST(Tiling, JoinsTilesOfOnePictureBackIntoIt) {
  AutoencoderConfig config;
  config.channels = {8};  // a latent is one pixel
  config.sample_size = 16;
  const at::Tensor picture = at::arange(3 * 30 * 41, at::kFloat).reshape({1, 3, 30, 41});
  const Tiling tiling = *choose_tiling(config, 30, 41, true);
  TileJoiner joiner(tiling);
  for (std::int64_t row = 0; row < tiling.rows; ++row) {
    for (std::int64_t column = 0; column < tiling.columns; ++column) {
      joiner.add(cut_tile(tiling, picture, row, column).clone());
    }
  }
  EXPECT_TRUE(at::allclose(joiner.finish(), picture, 1e-6));
}

TEST(Tiling, FadesFromOneTileIntoTheNextWithoutASeam) {
  AutoencoderConfig config;
  config.channels = {8};
  config.sample_size = 16;
  const Tiling tiling = *choose_tiling(config, 12, 28, true);
  ASSERT_EQ(tiling.columns, 3);
  TileJoiner joiner(tiling);
  for (std::int64_t row = 0; row < tiling.rows; ++row) {
    for (std::int64_t column = 0; column < tiling.columns; ++column) {
      const at::Tensor part = cut_tile(tiling, at::zeros({1, 1, 12, 28}), row, column);
      joiner.add(at::full_like(part, static_cast<double>(column)));
    }
  }
  const at::Tensor steps = joiner.finish().diff(1, 3).abs();
  EXPECT_LE(steps.max().item<float>(), 0.2501f);  // a quarter of the way at each of the four blended pixels
}

}  // namespace
}  // namespace trireme
