#include "worker/models/z_image/transformer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "tests/worker/golden.h"
#include "worker/diffusion/noise.h"

namespace trireme::z_image {
namespace {

constexpr double kTolerance = 2e-5;  // equal runs of the reference with one and two threads differ by 5e-6

struct Layout {
  const char* name;
  std::filesystem::path folder;
};

struct Loaded {
  Loaded(const Layout& layout, at::ScalarType type)
      : dtype(type),
        files(read_model_files(layout.folder, /*weights=*/true)),
        golden(test::read_tensors(test::golden_folder() / (std::string(layout.name) + ".safetensors"))),
        cases(test::read_json(test::golden_folder() / (std::string(layout.name) + ".json")).at("velocities")),
        transformer(transformer_config(PartConfig(files, "transformer"))) {
    Parameters parameters;
    transformer.want(parameters);
    test::load_part(files, "transformer", parameters, dtype);
  }

  /// Runs a case; `check(name, tensor)` sees what the golden data holds of it.
  void run(const nlohmann::json& item, const std::function<void(const std::string&, const at::Tensor&)>& check) const {
    const TransformerConfig& config = transformer.config();
    const TokenGrid grid{item.at("height"), item.at("width"), item.at("length")};
    const std::uint64_t seed = item.at("seed");
    const at::Tensor latents = draw_noise({config.channels, 1, 2 * grid.height, 2 * grid.width}, seed).squeeze(1);
    const at::Tensor features = draw_noise({grid.caption, config.caption_dim}, seed + 1);
    const GridRope rope = transformer.rope(grid);
    const float time = item.at("t");
    const nn::DitCondition condition =
        transformer.conditions(transformer.time_features({0.5f * time, time}), /*factors=*/true)[1];
    check("adaln", condition.vector.squeeze(0));
    nn::DitRows image{transformer.embed_image(latents.to(dtype), {grid}), {}};
    at::Tensor caption = transformer.embed_caption(features.to(dtype), grid);
    for (std::size_t i = 0; i < static_cast<std::size_t>(config.refiners); ++i) {
      image = transformer.noise_refiner(i, image, rope.image, condition, {grid});
      caption = transformer.context_refiner(i, caption, rope.caption, {grid});
    }
    check("image_refined", image.hidden);
    check("caption_refined", caption);
    nn::DitRows rows{at::cat({image.hidden, caption}), {}};
    for (std::size_t i = 0; i < static_cast<std::size_t>(config.layers); ++i) {
      rows = transformer.layer(i, rows, rope.all, condition, {grid});
      if (i == 0) check("layer_first", rows.hidden);
    }
    check("layer_last", rows.hidden);
    check("velocity", transformer.velocity(rows.hidden, condition, {grid}));
  }

  at::ScalarType dtype;
  ModelFiles files;
  std::map<std::string, at::Tensor> golden;
  nlohmann::json cases;
  Transformer transformer;
};

class TransformerGolden : public testing::TestWithParam<Layout> {};

TEST_P(TransformerGolden, EveryStageAgreesWithDiffusers) {
  const Loaded loaded(GetParam(), at::kFloat);
  for (const nlohmann::json& item : loaded.cases) {
    const std::string name = item.at("name");
    int compared = 0;
    loaded.run(item, [&](const std::string& stage, const at::Tensor& tensor) {
      const auto expected = loaded.golden.find(name + "/" + stage);
      if (expected == loaded.golden.end()) return;
      EXPECT_LE(test::relative_error(tensor, expected->second), kTolerance) << name << " " << stage;
      ++compared;
    });
    EXPECT_EQ(compared, item.at("inner").get<bool>() ? 6 : 1) << name;
  }
}

TEST_P(TransformerGolden, RunsInBfloat16CloseToTheReference) {
  const Loaded loaded(GetParam(), at::kBFloat16);
  for (const nlohmann::json& item : loaded.cases) {
    const std::string name = item.at("name");
    loaded.run(item, [&](const std::string& stage, const at::Tensor& tensor) {
      EXPECT_EQ(tensor.scalar_type(), at::kBFloat16) << stage;
      if (stage != "velocity") return;
      EXPECT_LE(test::relative_error(tensor, loaded.golden.at(name + "/velocity")), 0.06) << name;
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts, TransformerGolden,
                         testing::Values(Layout{"z_image_tiny", test::source_folder() / "models" / "z_image_tiny"},
                                         Layout{"z_image_base", test::golden_folder() / "z_image_base"}),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(TransformerConfig, TakesSizesFromShapesWhereTheConfigIsSilent) {
  for (const auto& folder :
       {test::source_folder() / "models" / "z_image_tiny", test::golden_folder() / "z_image_base"}) {
    ModelFiles files = read_model_files(folder, /*weights=*/true);
    const TransformerConfig full = transformer_config(PartConfig(files, "transformer"));
    nlohmann::json config = nlohmann::json::parse(files.parts["transformer"].config);
    files.parts["transformer"].config = nlohmann::json{{"axes_dims", config["axes_dims"]}}.dump();
    const TransformerConfig bare = transformer_config(PartConfig(files, "transformer"));
    EXPECT_EQ(bare.channels, full.channels);
    EXPECT_EQ(bare.dim, full.dim);
    EXPECT_EQ(bare.layers, full.layers);
    EXPECT_EQ(bare.refiners, full.refiners);
    EXPECT_EQ(bare.heads, full.heads);
    EXPECT_EQ(bare.caption_dim, full.caption_dim);
    EXPECT_TRUE(bare.qk_norm);
  }
}

TEST(TransformerConfig, MayHaveNoRefiners) {
  ModelFiles files = read_model_files(test::source_folder() / "models" / "z_image_tiny", /*weights=*/true);
  ModelPart& part = files.parts["transformer"];
  std::erase_if(part.tensors,
                [](const TensorEntry& tensor) { return tensor.name.find("_refiner.") != tensor.name.npos; });
  nlohmann::json config = nlohmann::json::parse(part.config);
  config["n_refiner_layers"] = 0;
  part.config = config.dump();
  EXPECT_EQ(transformer_config(PartConfig(files, "transformer")).refiners, 0);
  config.erase("n_refiner_layers");
  part.config = config.dump();
  const TransformerConfig bare = transformer_config(PartConfig(files, "transformer"));
  EXPECT_EQ(bare.refiners, 0);
  Transformer transformer(bare);
  Parameters parameters;
  transformer.want(parameters);
  EXPECT_EQ(parameters.wants().size(), part.tensors.size());
}

TEST(TransformerConfig, HasTheReleasedSizesWithoutTensors) {
  ModelFiles files;
  files.parts["transformer"].config =
      R"({"all_patch_size": [2], "all_f_patch_size": [1], "in_channels": 16, "dim": 3840,
      "n_layers": 30, "n_refiner_layers": 2, "n_heads": 30, "n_kv_heads": 30, "norm_eps": 1e-05, "qk_norm": true,
      "cap_feat_dim": 2560, "rope_theta": 256.0, "t_scale": 1000.0, "axes_dims": [32, 48, 48],
      "axes_lens": [1536, 512, 512]})";
  Transformer transformer(transformer_config(PartConfig(files, "transformer")));
  Parameters parameters;
  transformer.want(parameters);
  std::int64_t count = 0;
  for (const Parameters::Want& want : parameters.wants()) {
    std::int64_t elements = 1;
    for (const std::int64_t size : want.shape) elements *= size;
    count += elements;
  }
  EXPECT_EQ(parameters.wants().size(), 521u);
  EXPECT_EQ(count, 6'154'908'736);
}

TEST(TransformerConfig, RefusesWhatItCanNotComputeByName) {
  const auto message = [](const char* config) -> std::string {
    ModelFiles files;
    files.parts["transformer"].config = config;
    try {
      transformer_config(PartConfig(files, "transformer"));
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_NE(message(R"({"dim": 64})").find("in_channels"), std::string::npos);
  EXPECT_NE(message(R"({"all_patch_size": [4]})").find("all_patch_size"), std::string::npos);
  EXPECT_NE(message(R"({"siglip_feat_dim": 1152})").find("Omni"), std::string::npos);
  EXPECT_NE(message(R"({"in_channels": 16, "dim": 64, "n_layers": 1, "n_refiner_layers": 1, "cap_feat_dim": 8,
                        "n_heads": 2, "axes_dims": [8, 8, 8]})")
                .find("axes_dims"),
            std::string::npos);
}

TEST(Scheduler, OnlyThePlainFlowMatchEulerIsAccepted) {
  const auto check = [](const char* config) {
    ModelFiles files;
    files.parts["scheduler"].config = config;
    check_scheduler(PartConfig(files, "scheduler"));
  };
  EXPECT_NO_THROW(check(R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0, "shift_terminal": null})"));
  EXPECT_THROW(check(R"({"_class_name": "EulerDiscreteScheduler"})"), Error);
  EXPECT_THROW(check(R"({"use_dynamic_shifting": true})"), Error);
  EXPECT_THROW(check(R"({"shift_terminal": 0.1})"), Error);
}

}  // namespace
}  // namespace trireme::z_image
