#include "worker/vision/autoencoder_kl.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "common/errors.h"
#include "tests/worker/golden.h"
#include "worker/diffusion/noise.h"
#include "worker/vision/tiling.h"
#include "worker/weights/convolutions.h"

namespace trireme {
namespace {

constexpr double kTolerance = 2e-5;  // two equal runs of the reference differ by a tenth of it

at::Tensor decode(const AutoencoderDecoder& decoder, at::Tensor x) {
  for (std::size_t i = 0; i < decoder.step_count(); ++i) x = decoder.step(i, x);
  return x;
}

struct Autoencoder {
  Autoencoder(const std::filesystem::path& folder, at::ScalarType dtype)
      : files(read_model_files(folder, /*weights=*/true)), part(files, "vae"), decoder(autoencoder_config(part)) {
    decoder.want(parameters["vae"], part);
    test::load_part(files, "vae", parameters["vae"], dtype);
  }
  void bring_to(at::Device device) {
    for (const Parameters::Want& want : parameters["vae"].wants()) *want.slot = want.slot->to(device);
  }
  PartParameters parameters;
  ModelFiles files;
  PartConfig part;
  AutoencoderDecoder decoder;
};

struct Layout {
  const char* name;
  std::filesystem::path folder;
};

class AutoencoderGolden : public testing::TestWithParam<Layout> {};

TEST_P(AutoencoderGolden, DecodesAsDiffusersWholeAndInTiles) {
  const Autoencoder autoencoder(GetParam().folder, at::kFloat);
  const AutoencoderConfig& config = autoencoder.decoder.config();
  const auto golden = test::read_tensors(test::golden_folder() / (std::string(GetParam().name) + ".safetensors"));
  const nlohmann::json cases = test::read_json(test::golden_folder() / (std::string(GetParam().name) + ".json"));
  for (const nlohmann::json& item : cases.at("decodes")) {
    const std::int64_t height = item.at("height"), width = item.at("width");
    const at::Tensor latents = draw_noise({1, config.latent_channels, height, width}, item.at("seed"));
    const std::optional<Tiling> tiling = choose_tiling(config, height, width, item.at("tiled").get<bool>());
    EXPECT_EQ(tiling.has_value(), item.at("tiled").get<bool>());
    at::Tensor image;
    if (tiling) {
      TileJoiner joiner(*tiling);
      for (std::int64_t row = 0; row < tiling->rows; ++row) {
        for (std::int64_t column = 0; column < tiling->columns; ++column) {
          joiner.add(decode(autoencoder.decoder, cut_tile(*tiling, latents, row, column)));
        }
      }
      image = joiner.finish();
    } else {
      image = decode(autoencoder.decoder, latents);
    }
    const std::string name = item.at("name");
    EXPECT_LE(test::relative_error(image.squeeze(0), golden.at(name + "/image")), kTolerance) << name;
  }
}

TEST_P(AutoencoderGolden, DecodesInBfloat16CloseToTheReference) {
  const Autoencoder autoencoder(GetParam().folder, at::kBFloat16);
  const nlohmann::json item =
      test::read_json(test::golden_folder() / (std::string(GetParam().name) + ".json")).at("decodes").at(0);
  const auto golden = test::read_tensors(test::golden_folder() / (std::string(GetParam().name) + ".safetensors"));
  const at::Tensor latents = draw_noise(
      {1, autoencoder.decoder.config().latent_channels, item.at("height"), item.at("width")}, item.at("seed"));
  const at::Tensor image = decode(autoencoder.decoder, latents.to(at::kBFloat16));
  EXPECT_EQ(image.scalar_type(), at::kBFloat16);
  const std::string name = item.at("name");
  EXPECT_LE(test::relative_error(image.squeeze(0), golden.at(name + "/image")), 0.05);  // about 30 layers of 8 bits
}

TEST_P(AutoencoderGolden, IsAsCloseToTheReferenceWithFoldedKernelsOnAGpu) {
  if (!at::hasCUDA()) GTEST_SKIP() << "no GPU: kernels are folded there only";
  const at::Device gpu(at::kCUDA, 0);
  const nlohmann::json item =
      test::read_json(test::golden_folder() / (std::string(GetParam().name) + ".json")).at("decodes").at(0);
  const at::Tensor expected =
      test::read_tensors(test::golden_folder() / (std::string(GetParam().name) + ".safetensors"))
          .at(std::string(item.at("name")) + "/image");
  double errors[2];
  for (const bool folded : {false, true}) {
    Autoencoder autoencoder(GetParam().folder, at::kBFloat16);
    autoencoder.bring_to(gpu);
    if (folded) {
      EXPECT_GT(prepare_convolutions(autoencoder.parameters, gpu), 0u);
    }
    const at::Tensor latents = draw_noise(
        {1, autoencoder.decoder.config().latent_channels, item.at("height"), item.at("width")}, item.at("seed"));
    const at::Tensor image =
        decode(autoencoder.decoder, latents.to(gpu, at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast));
    errors[folded] =
        (image.squeeze(0).to(at::kCPU, at::kFloat) - expected).norm().item<double>() / expected.norm().item<double>();
  }
  std::printf("relative to float32: %.5f, folded %.5f\n", errors[0], errors[1]);
  EXPECT_LT(errors[0], 0.05);
  EXPECT_LT(errors[1], 1.2 * errors[0]);
}

INSTANTIATE_TEST_SUITE_P(Layouts, AutoencoderGolden,
                         testing::Values(Layout{"z_image_tiny", test::source_folder() / "models" / "z_image_tiny"},
                                         Layout{"z_image_base", test::golden_folder() / "z_image_base"}),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(AutoencoderConfig, TakesSizesFromShapesWhereTheConfigIsSilent) {
  ModelFiles files = read_model_files(test::source_folder() / "models" / "z_image_tiny", /*weights=*/true);
  files.parts["vae"].config = R"({"norm_num_groups": 8, "use_post_quant_conv": false})";
  const AutoencoderConfig config = autoencoder_config(PartConfig(files, "vae"));
  EXPECT_EQ(config.channels, (std::vector<std::int64_t>{16, 32, 32, 32}));
  EXPECT_EQ(config.latent_channels, 16);
  EXPECT_EQ(config.out_channels, 3);
  EXPECT_EQ(config.layers_per_block, 2);
  EXPECT_EQ(config.factor(), 8);
}

TEST(AutoencoderConfig, ScalesAsDiffusersDoesWhereTheConfigIsSilent) {
  ModelFiles files = read_model_files(test::source_folder() / "models" / "z_image_tiny", /*weights=*/true);
  files.parts["vae"].config = R"({"norm_num_groups": 8, "use_post_quant_conv": false, "shift_factor": null})";
  const AutoencoderConfig config = autoencoder_config(PartConfig(files, "vae"));
  EXPECT_EQ(config.scaling_factor, 0.18215);
  EXPECT_EQ(config.shift_factor, 0);
}

TEST(AutoencoderConfig, RefusesGroupsThatDoNotDivideTheChannels) {
  ModelFiles files = read_model_files(test::source_folder() / "models" / "z_image_tiny", /*weights=*/true);
  files.parts["vae"].config = R"({"norm_num_groups": 32})";
  EXPECT_THROW(autoencoder_config(PartConfig(files, "vae")), Error);
}

}  // namespace
}  // namespace trireme
