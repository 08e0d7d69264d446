#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "tests/worker/golden.h"
#include "worker/diffusion/noise.h"
#include "worker/models/newbie_image/transformer.h"
#include "worker/nn/patches.h"

namespace trireme::newbie_image {
namespace {

constexpr double kTolerance = 2e-5;

const char* const kLayouts[] = {"newbie_image", "newbie_image_diffusers"};

ModelFiles files_of(const std::string& layout) {
  return read_model_files(test::golden_folder() / layout, /*weights=*/true, "newbie_image");
}

class TransformerGolden : public testing::TestWithParam<const char*> {};

TEST_P(TransformerGolden, EveryStageAgreesWithTheReference) {
  const ModelFiles files = files_of(GetParam());
  Transformer transformer(transformer_config(PartConfig(files, "transformer")));
  Parameters parameters;
  transformer.want(parameters);
  test::load_part(files, "transformer", parameters, at::kFloat);
  const auto golden = test::read_tensors(test::golden_folder() / "newbie_image.safetensors");
  const TransformerConfig& config = transformer.config();

  for (const nlohmann::json& item : test::read_json(test::golden_folder() / "newbie_image.json").at("velocities")) {
    const std::string name = item.at("name");
    int compared = 0;
    const auto check = [&](const char* stage, const at::Tensor& tensor, bool after_silu = false) {
      const auto expected = golden.find(name + "/" + stage);
      if (expected == golden.end()) return;
      const at::Tensor wanted = after_silu ? at::silu(expected->second) : expected->second;
      EXPECT_LE(test::relative_error(tensor, wanted), kTolerance) << name << " " << stage;
      ++compared;
    };
    const TokenGrid grid{item.at("height"), item.at("width"), item.at("length")};
    const std::uint64_t seed = item.at("seed");
    const at::Tensor latents = draw_noise({config.channels, 2 * grid.height, 2 * grid.width}, seed);
    const at::Tensor pooled = transformer.embed_pooled(draw_noise({config.pooled_dim}, seed + 2).unsqueeze(0));
    const float time = item.at("t");
    const nn::DitCondition condition =
        transformer.conditions(nn::time_features({0.5f * time, time}, 1), pooled, /*factors=*/true)[1];
    check("adaln", condition.vector, /*after_silu=*/true);
    const GridRope rope = transformer.rope(grid);
    nn::DitRows image{transformer.embed_image(latents), {}};
    at::Tensor caption = transformer.embed_caption(draw_noise({grid.caption, config.caption_dim}, seed + 1));
    for (std::size_t i = 0; i < static_cast<std::size_t>(config.refiners); ++i) {
      image = transformer.noise_refiner(i, image, rope.image, condition);
      caption = transformer.context_refiner(i, caption, rope.caption);
    }
    check("image_refined", image.hidden);
    check("caption_refined", caption);
    nn::DitRows rows{at::cat({caption, image.hidden}), {}};
    for (std::size_t i = 0; i < static_cast<std::size_t>(config.layers); ++i) {
      rows = transformer.layer(i, rows, rope.all, condition);
      if (i == 0) check("layer_first", rows.hidden);
    }
    check("layer_last", rows.hidden);
    check("velocity", transformer.velocity(rows.hidden, condition, grid));
    EXPECT_EQ(compared, item.at("inner").get<bool>() ? 6 : 1) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts, TransformerGolden, testing::ValuesIn(kLayouts),
                         [](const auto& param) { return std::string(param.param); });

TEST(NewbieTransformerConfig, TakesSizesFromShapesWhereTheConfigIsSilent) {
  for (const char* layout : kLayouts) {
    ModelFiles files = files_of(layout);
    files.parts["transformer"].config = R"({"axes_dims": [4, 4, 4]})";
    const TransformerConfig config = transformer_config(PartConfig(files, "transformer"));
    EXPECT_EQ(config.channels, 16);
    EXPECT_EQ(config.layers, 3);
    EXPECT_EQ(config.refiners, 2);
    EXPECT_EQ(config.caption_dim, 32);
    EXPECT_EQ(config.pooled_dim, 24);
    EXPECT_EQ(config.time_hidden, 48);
    EXPECT_EQ(config.block.dim, 48);
    EXPECT_EQ(config.block.heads, 4);
    EXPECT_EQ(config.block.kv_heads, 2);
    EXPECT_EQ(config.block.head_dim, 12);
    EXPECT_EQ(config.block.feed_forward, 192);
    EXPECT_EQ(config.block.condition_dim, 48);
    EXPECT_TRUE(config.block.qk_norm);
  }
}

TEST(NewbieTransformerConfig, HasTheReleasedSizesWithoutTensors) {
  ModelFiles files = files_of(kLayouts[0]);
  files.parts["transformer"].tensors.clear();
  files.parts["transformer"].config =
      R"({"patch_size": 2, "dim": 2304, "n_layers": 36, "n_heads": 24, "n_kv_heads": 8, "in_channels": 16,)"
      R"("axes_dims": [32, 32, 32], "axes_lens": [1024, 512, 512], "clip_text_dim": 1024})";
  Transformer transformer(transformer_config(PartConfig(files, "transformer")));
  Parameters parameters;
  transformer.want(parameters);
  std::int64_t values = 0;
  for (const Parameters::Want& want : parameters.wants()) {
    std::int64_t count = want.rows;
    for (std::size_t i = 1; i < want.shape.size(); ++i) count *= want.shape[i];
    values += count;
  }
  EXPECT_EQ(values + 2304, 3'486'636'096);  // with norm_final, which nobody wants
}

TEST(NewbieTransformerConfig, MayStandBehindAPrefix) {
  ModelFiles files = files_of(kLayouts[0]);
  for (TensorEntry& tensor : files.parts["transformer"].tensors) tensor.name = "inner_model." + tensor.name;
  EXPECT_EQ(transformer_config(PartConfig(files, "transformer")).names.prefix, "inner_model.");
}

TEST(NewbieTransformerConfig, NamesTheKeyThatCanNotBe) {
  const auto refusal = [](const char* key, const nlohmann::json& value) -> std::string {
    ModelFiles files = files_of(kLayouts[0]);
    nlohmann::json config = nlohmann::json::parse(files.parts["transformer"].config);
    config[key] = value;
    files.parts["transformer"].config = config.dump();
    try {
      transformer_config(PartConfig(files, "transformer"));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_data);
      return error.what();
    }
    return "no error";
  };
  using nlohmann::json;
  for (const auto& [key, value] : std::vector<std::pair<const char*, json>>{{"patch_size", 4},
                                                                            {"n_heads", 5},
                                                                            {"n_kv_heads", 3},
                                                                            {"axes_dims", json::array({4, 4, 6})},
                                                                            {"axes_dims", json::array({3, 5, 4})},
                                                                            {"axes_dims", json::array({12})},
                                                                            {"n_layers", 0}}) {
    EXPECT_NE(refusal(key, value).find(key), std::string::npos) << refusal(key, value);
  }
  ModelFiles files = files_of(kLayouts[0]);
  std::erase_if(files.parts["transformer"].tensors,
                [](const TensorEntry& tensor) { return tensor.name.starts_with("clip_text_pooled_proj"); });
  EXPECT_THROW(transformer_config(PartConfig(files, "transformer")), Error);
}

}  // namespace
}  // namespace trireme::newbie_image
