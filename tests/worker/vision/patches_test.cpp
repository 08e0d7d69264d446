#include "worker/vision/patches.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "common/sha256.h"
#include "tests/worker/golden.h"

namespace trireme {
namespace {

/// The picture of a golden case, [H, W, 3].
at::Tensor picture_of(const nlohmann::json& wanted) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(wanted.at("seed").get<std::uint64_t>());
  return at::randint(0, 256, {3, wanted.at("height").get<std::int64_t>(), wanted.at("width").get<std::int64_t>()},
                     generator, at::TensorOptions(at::kByte))
      .permute({1, 2, 0})
      .contiguous();
}

ModelFiles files_of(const nlohmann::json& preprocessor, const nlohmann::json& processor = nlohmann::json::object()) {
  ModelFiles files;
  files.folder = "checkpoint";
  files.parts["preprocessor"] = {"preprocessor_config.json", preprocessor.dump(), {}, {}};
  files.parts["processor"] = {"processor_config.json", processor.dump(), {}, {}};
  return files;
}

class PatchesGolden : public testing::TestWithParam<const char*> {};

TEST_P(PatchesGolden, PixelValuesHaveTheBitsOfTheReference) {
  const auto folder = test::golden_folder() / GetParam();
  const nlohmann::json own = test::read_json(folder / "preprocessor_config.json");
  for (const nlohmann::json& wanted : test::read_json(folder.string() + ".json").at("pixels")) {
    const bool as_released = wanted.at("options").empty();
    const PatchConfig config = patch_config(files_of(as_released ? own : wanted.at("options")));
    const at::Tensor picture = picture_of(wanted);
    const PictureSize size = resized_size({picture.size(0), picture.size(1)}, config);
    const std::string name = std::to_string(picture.size(0)) + "x" + std::to_string(picture.size(1));
    EXPECT_EQ(size.height / config.patch, wanted.at("grid").at(1).get<std::int64_t>()) << name;
    EXPECT_EQ(size.width / config.patch, wanted.at("grid").at(2).get<std::int64_t>()) << name;
    const at::Tensor pixels = pixel_values(resize_bytes(picture, size), config);
    const std::string_view bytes(static_cast<const char*>(pixels.data_ptr()), pixels.nbytes());
    EXPECT_EQ(sha256_hex(bytes), wanted.at("sha256").get<std::string>()) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, PatchesGolden, testing::Values("qwen2_5_vl_released", "qwen2_5_vl_resaved"));

TEST(Patches, ReadLimitsFromEitherFileAndEitherName) {
  const PatchConfig plain = patch_config(files_of(nlohmann::json::object()));
  EXPECT_EQ(plain.min_pixels, 3136);
  EXPECT_EQ(plain.max_pixels, 1003520);
  const nlohmann::json size = {{"size", {{"shortest_edge", 100}, {"longest_edge", 900}}}};
  EXPECT_EQ(patch_config(files_of(size)).max_pixels, 900);
  const PatchConfig nested = patch_config(files_of({{"max_pixels", 5}}, {{"image_processor", size}}));
  EXPECT_EQ(nested.min_pixels, 100);
  EXPECT_EQ(nested.max_pixels, 900);
}

TEST(Patches, RefuseStepsDoneInAnotherWay) {
  for (const nlohmann::json& config : {nlohmann::json{{"do_resize", false}},
                                       {{"resample", 2}},
                                       {{"image_std", {1.0, 0.0, 1.0}}},
                                       {{"image_mean", 3}}}) {
    EXPECT_THROW(patch_config(files_of(config)), Error) << config.dump();
  }
}

TEST(Patches, RefusePicturesThatAreTooNarrow) {
  const PatchConfig config = patch_config(files_of(nlohmann::json::object()));
  EXPECT_NO_THROW(resized_size({2, 400}, config));
  EXPECT_THROW(resized_size({2, 401}, config), ItemError);
  EXPECT_THROW(resized_size({3001, 15}, config), ItemError);
}

TEST(Patches, RoundHalvesToEven) {
  PatchConfig config;
  config.min_pixels = 1;
  EXPECT_EQ(resized_size({70, 98}, config), (PictureSize{56, 112}));  // 2.5 and 3.5 cells
}

}  // namespace
}  // namespace trireme
