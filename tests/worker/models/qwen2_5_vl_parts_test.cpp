#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "common/errors.h"
#include "common/tokenizer/chat.h"
#include "tests/worker/golden.h"
#include "tests/worker/models/qwen2_5_vl_golden.h"
#include "worker/models/list.h"
#include "worker/models/qwen2_5_vl/prompt.h"
#include "worker/models/qwen2_5_vl/vision_tower.h"
#include "worker/vision/patches.h"

namespace trireme::qwen2_5_vl {
namespace {

class QwenPartsGolden : public testing::TestWithParam<const char*> {
 protected:
  const test::QwenGolden golden_{GetParam()};
  const Config config_ = read_config(golden_.files);
};

std::vector<TokenGrid> grids_of(const nlohmann::json& answer, const Config& config) {
  std::vector<TokenGrid> grids;
  for (const nlohmann::json& grid : answer.at("image_grid_thw")) {
    grids.push_back(
        {grid[1].get<std::int64_t>() / config.vision.merge, grid[2].get<std::int64_t>() / config.vision.merge});
  }
  return grids;
}

TEST_P(QwenPartsGolden, TheChatIsThatOfTheTemplate) {
  for (const char* kind : {"chats", "answers"}) {
    for (const nlohmann::json& wanted : golden_.cases.at(kind)) {
      EXPECT_EQ(qwen2_5_vl_prompt(test::messages_of(wanted.at("messages"))), wanted.at("prompt").get<std::string>());
    }
  }
}

TEST_P(QwenPartsGolden, PromptsHaveTheIdsAndPositionsOfTheReference) {
  const Tokenizer tokenizer = Tokenizer::parse(golden_.files.tokenizer_json, "tokenizer.json");
  for (const nlohmann::json& wanted : golden_.cases.at("answers")) {
    const std::string name = wanted.at("name");
    const Prompt prompt =
        make_prompt(test::messages_of(wanted.at("messages")), grids_of(wanted, config_), tokenizer, config_);
    EXPECT_EQ(prompt.ids, wanted.at("input_ids").get<std::vector<std::int64_t>>()) << name;
    if (!wanted.contains("positions")) {
      EXPECT_EQ(prompt.next_position, static_cast<std::int64_t>(prompt.ids.size())) << name;
      continue;
    }
    std::int64_t highest = 0;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      EXPECT_EQ(prompt.positions[axis], wanted.at("positions").at(axis).get<std::vector<std::int64_t>>()) << name;
      highest = std::max(highest, *std::max_element(prompt.positions[axis].begin(), prompt.positions[axis].end()));
    }
    EXPECT_EQ(prompt.next_position, highest + 1) << name;
  }
}

TEST_P(QwenPartsGolden, VisionFeaturesAgreeWithTransformers) {
  VisionTower tower(config_.vision);
  Parameters parameters;
  tower.want(parameters, config_.vision_prefix);
  parameters.skip("", "not looked at by this test");
  test::load_part(golden_.files, "model", parameters, at::kFloat);
  const PatchConfig patches = patch_config(golden_.files);
  for (const nlohmann::json& wanted : golden_.cases.at("answers")) {
    const std::string name = wanted.at("name");
    std::vector<at::Tensor> features;
    for (const nlohmann::json& message : wanted.at("messages")) {
      if (message.at("content").is_string()) continue;
      for (const nlohmann::json& part : message.at("content")) {
        if (part.at("type") != "image") continue;
        const at::Tensor picture = test::golden_picture(part.at("height"), part.at("width"), part.at("seed"));
        const PictureSize size = resized_size({picture.size(0), picture.size(1)}, patches);
        const VisionLayout layout =
            vision_layout(size.height / patches.patch, size.width / patches.patch, config_.vision);
        const VisionPass pass = tower.begin(layout, at::kCPU);
        at::Tensor x = tower.embed(pixel_values(resize_bytes(picture, size), patches), pass);
        for (std::size_t i = 0; i < tower.block_count(); ++i) x = tower.block(i, x, pass);
        features.push_back(tower.merge(x, pass));
      }
    }
    if (features.empty()) continue;
    EXPECT_LE(test::relative_error(at::cat(features), golden_.tensors.at(name + "/features")), 1e-5) << name;
  }
}

TEST_P(QwenPartsGolden, PlaceholdersMustMatchThePictures) {
  const Tokenizer tokenizer = Tokenizer::parse(golden_.files.tokenizer_json, "tokenizer.json");
  const auto message = [&](const std::string& words, const std::vector<TokenGrid>& grids) -> std::string {
    std::vector<ContentPart> content{{ContentPart::Kind::text, words, 0}};
    for (std::size_t i = 0; i < grids.size(); ++i) content.push_back({ContentPart::Kind::image, "", 0});
    try {
      make_prompt({{"user", content}}, grids, tokenizer, config_);
    } catch (const ItemError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message("a fox", {{2, 3}}), "accepted");
  EXPECT_NE(message("a <|image_pad|> fox", {}).find("1 placeholders <|image_pad|> for 0 pictures"), std::string::npos);
  EXPECT_NE(message("<|image_pad|>", {{2, 3}}).find("2 placeholders"), std::string::npos);
  EXPECT_NE(message("<|video_pad|>", {}).find("videos are not supported"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, QwenPartsGolden, testing::Values("qwen2_5_vl_released", "qwen2_5_vl_resaved"));

TEST(VisionLayout, HoldsEveryCellOnceAndWindowsOfOneLengthSideBySide) {
  VisionConfig config;
  config.hidden = 32, config.heads = 2, config.window = 4;
  for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {4, 4}, {37, 37}, {3, 9}, {8, 5}}) {
    const VisionLayout layout = vision_layout(2 * rows, 2 * columns, config);
    std::vector<std::int64_t> cells = layout.order, all(static_cast<std::size_t>(rows * columns));
    std::iota(all.begin(), all.end(), 0);
    std::sort(cells.begin(), cells.end());
    EXPECT_EQ(cells, all);
    std::int64_t patches = 0;
    for (std::size_t i = 0; i < layout.windows.size(); ++i) {
      patches += layout.windows[i].count * layout.windows[i].length;
      if (i > 0) {
        EXPECT_LT(layout.windows[i].length, layout.windows[i - 1].length);
      }
    }
    EXPECT_EQ(patches, layout.patches());
    EXPECT_LE(layout.windows.size(), 4u);
    EXPECT_EQ(layout.rope.cos.sizes(), at::IntArrayRef({layout.patches(), 8}));
  }
}

TEST(QwenConfig, RefusesWhatItCanNotComputeByName) {
  const test::QwenGolden golden("qwen2_5_vl_released");
  const auto message = [&](auto change) -> std::string {
    ModelFiles files = golden.files;
    nlohmann::json config = nlohmann::json::parse(files.parts["model"].config);
    change(config);
    files.parts["model"].config = config.dump();
    try {
      read_config(files);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  using Json = nlohmann::json;
  EXPECT_EQ(message([](Json&) {}), "accepted");
  EXPECT_NE(message([](Json& c) {
              c["rope_scaling"]["mrope_section"] = {1, 2, 3};
            }).find("mrope_section"),
            std::string::npos);
  EXPECT_NE(message([](Json& c) { c["vision_config"]["hidden_act"] = "gelu"; }).find("hidden_act"), std::string::npos);
  EXPECT_NE(message([](Json& c) { c["vision_config"]["out_hidden_size"] = 32; }).find("out_hidden_size"),
            std::string::npos);
  EXPECT_NE(message([](Json& c) { c["use_sliding_window"] = true, c["max_window_layers"] = 1; }).find("sliding"),
            std::string::npos);
  EXPECT_NE(message([](Json& c) { c.erase("vision_config"); }).find("vision_config"), std::string::npos);
}

TEST(QwenConfig, AHeadIsTiedWhenTheFilesSaySoOrHaveNone) {
  const auto tied = [](const std::string& name, auto change) {
    test::QwenGolden golden(name);
    nlohmann::json config = nlohmann::json::parse(golden.files.parts["model"].config);
    change(config);
    golden.files.parts["model"].config = config.dump();
    return read_config(golden.files).tied_head;
  };
  using Json = nlohmann::json;
  EXPECT_FALSE(tied("qwen2_5_vl_released", [](Json&) {}));
  EXPECT_TRUE(tied("qwen2_5_vl_released", [](Json& c) { c["tie_word_embeddings"] = true; }));
  EXPECT_TRUE(tied("qwen2_5_vl_resaved", [](Json&) {}));
  const auto silent = [](Json& c) {
    c.erase("tie_word_embeddings");
    if (c.contains("text_config")) c["text_config"].erase("tie_word_embeddings");
  };
  EXPECT_FALSE(tied("qwen2_5_vl_released", silent)) << "lm_head.weight is there";
  EXPECT_TRUE(tied("qwen2_5_vl_resaved", silent)) << "there is no lm_head.weight";
  EXPECT_FALSE(tied("qwen2_5_vl_resaved", [](Json& c) {
    c["tie_word_embeddings"] = c["text_config"]["tie_word_embeddings"] = false;
  })) << "lm_head.weight is missing, and named when the weights are loaded";
}

// total_size of the released model.safetensors.index.json.
TEST(QwenShapes, WantTheBytesOfTheReleasedFiles) {
  const auto wanted = [](const char* shapes) {
    Job job;
    job.model.weights = "dummy";
    const std::string folder = (test::source_folder() / "bench/shapes" / shapes).string();
    PartParameters parameters;
    const auto model = make_model("qwen2_5_vl", {job, at::kCPU, at::kBFloat16},
                                  read_model_files(folder, /*weights=*/false, "qwen2_5_vl"), parameters);
    std::map<std::string, std::uint64_t> bytes;
    for (const Parameters::Want& want : parameters.at("model").wants()) {
      std::uint64_t count = 2;
      for (const std::int64_t size : want.shape) count *= static_cast<std::uint64_t>(size);
      EXPECT_TRUE(bytes.emplace(want.name, count).second) << want.name << " is wanted twice";
    }
    for (const char* name :
         {"visual.patch_embed.proj.weight", "visual.blocks.31.mlp.gate_proj.bias", "visual.merger.mlp.2.weight",
          "model.layers.27.self_attn.v_proj.bias", "model.norm.weight"}) {
      EXPECT_TRUE(bytes.contains(name)) << name;
    }
    EXPECT_EQ(bytes.contains("lm_head.weight"), std::string_view(shapes) == "qwen2_5_vl_7b");
    return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const auto& one) { return sum + one.second; });
  };
  EXPECT_EQ(wanted("qwen2_5_vl_7b"), 16'584'333'312u);
  EXPECT_EQ(wanted("qwen2_5_vl_3b"), 7'509'245'952u);
}

}  // namespace
}  // namespace trireme::qwen2_5_vl
