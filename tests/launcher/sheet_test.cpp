#include "launcher/sheet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include "common/errors.h"
#include "common/files.h"
#include "common/run_directory.h"
#include "launcher/raster.h"
#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Raster plain(int width, int height, std::array<std::uint8_t, 3> colour) {
  Raster raster{width, height, {}};
  for (int i = 0; i < width * height; ++i) raster.pixels.insert(raster.pixels.end(), colour.begin(), colour.end());
  return raster;
}

void write(const std::filesystem::path& file, const Raster& raster) {
  create_folder(file.parent_path());
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(raster.width);
  image.height = static_cast<png_uint_32>(raster.height);
  image.format = PNG_FORMAT_RGB;
  ASSERT_NE(png_image_write_to_file(&image, file.c_str(), 0, raster.pixels.data(), 0, nullptr), 0) << image.message;
}

Raster read(const std::filesystem::path& file) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_file(&image, file.c_str()), 0);
  image.format = PNG_FORMAT_RGB;
  Raster raster{static_cast<int>(image.width), static_cast<int>(image.height), {}};
  raster.pixels.resize(PNG_IMAGE_SIZE(image));
  EXPECT_NE(png_image_finish_read(&image, nullptr, raster.pixels.data(), 0, nullptr), 0);
  return raster;
}

std::vector<int> colour_at(const Raster& raster, int x, int y) {
  const auto* pixel = &raster.pixels[static_cast<std::size_t>(3 * (y * raster.width + x))];
  return {pixel[0], pixel[1], pixel[2]};
}

}  // namespace

TEST(Sheet, PicturesAreScaledDownByTheMeanOfWhatEachPixelCoversAndNeverUp) {
  Raster stripes = plain(40, 20, {0, 0, 0});
  for (int i = 0; i < 40 * 20; ++i) {
    if (i % 2 == 1) stripes.pixels[static_cast<std::size_t>(3 * i)] = 200;
  }
  const Raster small = fit(stripes, 20);
  EXPECT_EQ(small.width, 20);
  EXPECT_EQ(small.height, 10);
  EXPECT_THAT(colour_at(small, 7, 3), ElementsAre(100, 0, 0));
  EXPECT_EQ(fit(stripes, 40).pixels, stripes.pixels);
  EXPECT_EQ(fit(plain(3000, 1, {9, 9, 9}), 16).height, 1);
}

TEST(Sheet, PutsPicturesOfAnySizeInInputOrderAndLeavesFailedOnesEmpty) {
  const TemporaryFolder folder;
  write(folder / "images/a.png", plain(16, 16, {255, 0, 0}));
  write(folder / "images/c.png", plain(64, 32, {0, 0, 255}));
  write_file(folder / "results.jsonl",
             "{\"id\":\"a\",\"status\":\"ok\",\"file\":\"images/a.png\"}\n"
             "{\"id\":\"b\",\"status\":\"failed\",\"error\":\"no\"}\n"
             "{\"id\":\"c\",\"status\":\"ok\",\"file\":\"images/c.png\"}\n");
  const Raster sheet = read(write_sheet({.run = folder.path(), .file = {}, .columns = 2, .cell = 32}));
  EXPECT_EQ(sheet.width, 8 + 2 * 40);
  EXPECT_EQ(sheet.height, 8 + 2 * 40);
  EXPECT_THAT(colour_at(sheet, 8 + 16, 8 + 16), ElementsAre(255, 0, 0));
  EXPECT_THAT(colour_at(sheet, 8 + 1, 8 + 1), ElementsAre(255, 255, 255)) << "16 pixels in the middle of 32";
  EXPECT_THAT(colour_at(sheet, 48 + 16, 8 + 16), ElementsAre(255, 255, 255)) << "a failed item";
  EXPECT_THAT(colour_at(sheet, 8 + 16, 48 + 16), ElementsAre(0, 0, 255));
  EXPECT_THAT(colour_at(sheet, 8 + 16, 48 + 2), ElementsAre(255, 255, 255)) << "wider than high";
}

TEST(Sheet, WhatIsMissingOrDamagedIsNamed) {
  const TemporaryFolder folder;
  const auto error = [&] { return error_of([&] { write_sheet({.run = folder.path(), .file = {}}); }); };
  EXPECT_EQ(error().code(), ExitCode::input_missing);
  EXPECT_THAT(error().what(), HasSubstr("results.jsonl: no such file; a run writes it when it ends"));
  write_file(folder / "results.jsonl", "{\"id\":\"b\",\"text\":\"hello\"}\n");
  EXPECT_THAT(error().what(), HasSubstr("no pictures in it"));
  write_file(folder / "results.jsonl", "{\"id\":\"b\",\"file\":\"images/b.png\"}\n");
  EXPECT_EQ(error().code(), ExitCode::input_missing);
  create_folder(folder / "images");
  write_file(folder / "images/b.png", "\x89PNG\r\n\x1a\nnot really");
  EXPECT_EQ(error().code(), ExitCode::bad_data);
  EXPECT_THAT(error().what(), HasSubstr("images/b.png: "));
}

}  // namespace trireme
