#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "tests/worker/golden.h"
#include "tests/worker/models/qwen2_5_vl_golden.h"

namespace trireme {
namespace {

using Ids = std::vector<std::int64_t>;

class QwenGoldenTest : public testing::TestWithParam<const char*> {
 protected:
  /// A model whose answers end only at the tokens of the case, as the reference's did.
  std::unique_ptr<Model> model_for(const nlohmann::json& answer, at::ScalarType dtype = at::kFloat) {
    return test::load_qwen(golden_, dtype, false, answer.at("eos").get<Ids>());
  }
  const test::QwenGolden golden_{GetParam()};
};

TEST_P(QwenGoldenTest, AnswersHaveTheIdsAndTextOfTransformers) {
  for (const nlohmann::json& wanted : golden_.cases.at("answers")) {
    const std::string name = wanted.at("name");
    const std::unique_ptr<Model> model = model_for(wanted);
    const Result result = test::write_all(*model, {test::text_item(wanted)}).at(0);
    const Ids expected = wanted.at("token_ids").get<Ids>();
    ASSERT_TRUE(result.text) << name;
    EXPECT_EQ(result.text->token_ids, expected) << name;
    EXPECT_EQ(result.text->text, wanted.at("text").get<std::string>()) << name;
    const Ids ends = wanted.at("eos").get<Ids>();
    const bool stopped = std::find(ends.begin(), ends.end(), expected.back()) != ends.end();
    EXPECT_EQ(result.text->finish_reason, stopped ? FinishReason::stop : FinishReason::length) << name;
    EXPECT_EQ(result.text->prompt_tokens, static_cast<std::int64_t>(wanted.at("input_ids").size())) << name;
    const auto& tensors = result.tensors;
    EXPECT_LE(test::relative_error(tensors.at("logits_first"), golden_.tensors.at(name + "/first_logits")), 1e-5)
        << name;
    EXPECT_TRUE(at::equal(tensors.at("input_ids"), at::tensor(wanted.at("input_ids").get<Ids>()))) << name;
    EXPECT_TRUE(at::equal(tensors.at("token_ids"), at::tensor(expected))) << name;
    if (wanted.at("image_grid_thw").empty()) {
      EXPECT_FALSE(tensors.contains("pixel_values"));
      continue;
    }
    EXPECT_EQ(tensors.at("image_grid_thw").size(0), static_cast<std::int64_t>(wanted.at("image_grid_thw").size()));
    EXPECT_EQ(tensors.at("image_grid_thw")[0][1].item<std::int64_t>(),
              wanted.at("image_grid_thw")[0][1].get<std::int64_t>());
  }
}

TEST_P(QwenGoldenTest, AUnitOfManyWritesWhatEachWouldAlone) {
  const std::unique_ptr<Model> model = model_for(golden_.answer("text_only"));
  std::vector<Item> items;
  std::vector<Ids> expected;
  for (const nlohmann::json& wanted : golden_.cases.at("answers")) {
    if (wanted.at("eos") != golden_.answer("text_only").at("eos")) continue;
    items.push_back(test::text_item(wanted));
    expected.push_back(wanted.at("token_ids").get<Ids>());
  }
  ASSERT_GE(items.size(), 7u);
  const std::vector<Result> results = test::write_all(*model, items);
  for (std::size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ(results[i].id, items[i].id);
    EXPECT_EQ(results[i].text->token_ids, expected[i]) << items[i].id;
  }
}

TEST_P(QwenGoldenTest, SampledTextDependsOnTheSeedAlone) {
  const std::unique_ptr<Model> model = model_for(golden_.answer("text_only"));
  Item item = test::text_item(golden_.answer("one_image"));
  item.temperature = 2, item.top_k = 50, item.top_p = 0.95, item.max_new_tokens = 24;
  Item other = item, greedy = item;
  other.seed = 8;
  greedy.temperature = 0;
  const std::vector<Result> together = test::write_all(*model, {other, greedy, item});
  EXPECT_EQ(test::write_all(*model, {item})[0].text->token_ids, together[2].text->token_ids);
  EXPECT_NE(together[0].text->token_ids, together[2].text->token_ids);
  const Ids reference = golden_.answer("one_image").at("token_ids").get<Ids>();
  EXPECT_EQ(together[1].text->token_ids, Ids(reference.begin(), reference.begin() + 24));
}

TEST_P(QwenGoldenTest, AUnitEndsWhenAllItsRowsHave) {
  const nlohmann::json& wanted = golden_.answer("ends_early");
  const std::unique_ptr<Model> model = model_for(wanted);
  Item ends = test::text_item(wanted), shorter = ends;
  shorter.max_new_tokens = 2;
  int passes = 0;
  const std::vector<Result> results = test::write_all(*model, {ends, shorter}, &passes);
  EXPECT_EQ(passes, static_cast<int>(wanted.at("token_ids").size()));
  EXPECT_EQ(results[0].text->finish_reason, FinishReason::stop);
  EXPECT_EQ(results[1].text->finish_reason, FinishReason::length);
  EXPECT_EQ(results[1].text->token_ids.size(), 2u);
}

TEST_P(QwenGoldenTest, Bfloat16StaysCloseAndLogitsAreFloat32) {
  for (const char* name : {"text_only", "two_images"}) {
    const nlohmann::json& wanted = golden_.answer(name);
    const std::unique_ptr<Model> model = model_for(wanted, at::kBFloat16);
    Item item = test::text_item(wanted);
    item.max_new_tokens = 3;
    const Result result = test::write_all(*model, {item}).at(0);
    EXPECT_EQ(result.tensors.at("logits_first").scalar_type(), at::kFloat);
    const at::Tensor expected = golden_.tensors.at(std::string(name) + "/first_logits");
    EXPECT_LE(test::relative_error(result.tensors.at("logits_first"), expected), 0.08) << name;
  }
}

TEST_P(QwenGoldenTest, ErrorsNameTheItem) {
  const std::unique_ptr<Model> model = model_for(golden_.answer("text_only"));
  const Item good = test::text_item(golden_.answer("one_image"));
  const auto failure = [&](const Item& item) -> std::string {
    try {
      test::write_all(*model, {good, item});
    } catch (const ItemError& error) {
      EXPECT_EQ(error.item(), std::optional<std::size_t>(1));
      return error.what();
    }
    return "accepted";
  };
  Item item = good;
  item.images[0].data.resize(item.images[0].data.size() / 2);
  EXPECT_NE(failure(item).find("picture0.png: "), std::string::npos) << failure(item);
  item = good;
  item.max_new_tokens = 1000;
  EXPECT_NE(failure(item).find("max_new_tokens 1000 are more than the"), std::string::npos) << failure(item);
  item = good;
  item.messages[0].content.push_back({ContentPart::Kind::text, "<|image_pad|>", 0});
  EXPECT_NE(failure(item).find("2 placeholders"), std::string::npos) << failure(item);
  item = good;
  item.max_new_tokens = 0;
  EXPECT_NE(failure(item).find("max_new_tokens"), std::string::npos);
}

TEST_P(QwenGoldenTest, RunsWithDummyWeightsAndConfigsAlone) {
  const std::unique_ptr<Model> model = test::load_qwen(golden_, at::kFloat, /*dummy=*/true);
  Item item = test::text_item(golden_.answer("two_images"));
  item.max_new_tokens = 3;
  const Result result = test::write_all(*model, {item}).at(0);
  EXPECT_GE(result.text->token_ids.size(), 1u);
  EXPECT_TRUE(at::isfinite(result.tensors.at("logits_first")).all().item<bool>());
}

TEST_P(QwenGoldenTest, ATokenizerOfAnotherModelIsRefused) {
  test::QwenGolden other(GetParam());
  nlohmann::json config = nlohmann::json::parse(other.files.parts["model"].config);
  config["image_token_id"] = config.at("video_token_id");
  other.files.parts["model"].config = config.dump();
  try {
    test::load_qwen(other, at::kFloat, false);
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_data);
    EXPECT_NE(std::string(error.what()).find("image_token_id"), std::string::npos) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, QwenGoldenTest, testing::Values("qwen2_5_vl_released", "qwen2_5_vl_resaved"));

}  // namespace
}  // namespace trireme
