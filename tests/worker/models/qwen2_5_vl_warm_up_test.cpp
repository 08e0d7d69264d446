// The warm-up of texts, on the stages of a tiny Qwen2.5-VL: each runs all of its own part, and keeps nothing.

#include <gtest/gtest.h>

#include "tests/worker/models/qwen2_5_vl_golden.h"
#include "worker/engine/warm_up.h"

namespace trireme {
namespace {

/// Notes how many rows each prefill and step of its layers took.
class Counted final : public Model {
 public:
  explicit Counted(std::unique_ptr<Model> model) : model_(std::move(model)) {}

  at::Device device() const override { return model_->device(); }
  int layer_count() const override { return model_->layer_count(); }
  Layers own_layers() const override { return model_->own_layers(); }
  std::unique_ptr<Session> begin(const Unit& unit, Slices& slices) override { return model_->begin(unit, slices); }
  void enter(Session& session, int half, Slices& slices) override { model_->enter(session, half, slices); }
  void layers(Session& session, int half, Layers range, Slices& slices) override {
    model_->layers(session, half, range, slices);
    slices.push_back({Phase::decode, [this, &session, decode = session.pass > 0] {
                        (decode ? steps : prefills).push_back(session.hidden.size(0));
                      }});
  }
  void leave(Session& session, int half, Slices& slices) override { model_->leave(session, half, slices); }
  void advance(Session& session, Slices& slices) override { model_->advance(session, slices); }
  void follow(Session& session, Slices& slices) override { model_->follow(session, slices); }
  void finish(Session& session, Slices& slices, std::vector<Result>& results) override {
    model_->finish(session, slices, results);
    ++finished;
  }
  Crossing crossing(const Session& session, int half) const override { return model_->crossing(session, half); }
  std::string note(const Session& session) const override { return model_->note(session); }
  std::unique_ptr<Session> begin_later(const Unit& unit, const std::string& note, Slices& slices) override {
    return model_->begin_later(unit, note, slices);
  }

  std::vector<std::int64_t> prefills, steps;
  int finished = 0;

 private:
  std::unique_ptr<Model> model_;
};

const test::QwenGolden& golden() {
  static const test::QwenGolden files("qwen2_5_vl_released");
  return files;
}

/// Two rows as texts_to_warm_up makes them, with the picture at hand.
Unit two_rows() {
  Item item = test::text_item(golden().answer("one_image"));
  Item words = test::text_item(golden().answer("text_only"));
  for (Item* one : {&item, &words}) one->max_new_tokens = 3, one->temperature = 1, one->repetition_penalty = 1.1;
  return {0, {item, words}, 1};
}

TEST(WarmUpTexts, RunsAPrefillOfEveryRowAndStepsOfAllOnEveryStage) {
  const int layers = test::load_qwen(golden(), at::kFloat, true)->layer_count();
  const auto tokens = [](const char* name) {
    return static_cast<std::int64_t>(golden().answer(name).at("input_ids").size());
  };
  std::optional<std::string> note;
  for (int index = 0; index < 2; ++index) {
    const Stage stage{index, 2, {0, layers, 2 * layers}};
    Counted model(test::load_qwen(golden(), at::kFloat, true, {}, stage));
    warm_up_texts(model, stage.first(), stage.last(), two_rows(), [&](std::optional<std::string> mine) {
      if (stage.first()) note = std::move(mine);
      return note;
    });
    EXPECT_EQ(model.prefills, (std::vector<std::int64_t>{tokens("one_image"), tokens("text_only")})) << index;
    EXPECT_EQ(model.steps, (std::vector<std::int64_t>{2, 2})) << index;
    EXPECT_EQ(model.finished, stage.last() ? 1 : 0);
  }
}

TEST(WarmUpTexts, LeavesNothingBehind) {
  const nlohmann::json& wanted = golden().answer("one_image");
  const auto model = test::load_qwen(golden(), at::kFloat, false, wanted.at("eos").get<std::vector<std::int64_t>>());
  warm_up_texts(*model, true, true, two_rows(), [](std::optional<std::string> mine) { return mine; });
  const Result result = test::write_all(*model, {test::text_item(wanted)}).at(0);
  EXPECT_EQ(result.text->token_ids, wanted.at("token_ids").get<std::vector<std::int64_t>>());
}

TEST(WarmUpTexts, WarmsNothingWhereTheFirstStageCanNotMakeTheUnit) {
  const int layers = test::load_qwen(golden(), at::kFloat, true)->layer_count();
  Unit unit = two_rows();
  unit.items[0].images[0].data.clear();
  std::optional<std::string> note = "none yet";
  for (int index = 0; index < 2; ++index) {
    const Stage stage{index, 2, {0, layers, 2 * layers}};
    Counted model(test::load_qwen(golden(), at::kFloat, true, {}, stage));
    warm_up_texts(model, stage.first(), stage.last(), unit, [&](std::optional<std::string> mine) {
      if (stage.first()) note = std::move(mine);
      return note;
    });
    EXPECT_FALSE(note);
    EXPECT_TRUE(model.prefills.empty());
  }
}

TEST(WarmUpTexts, TakesUnitsOfAFullBatchAndOfOneRowWithAllThatTextsMayAskFor) {
  EXPECT_TRUE(texts_to_warm_up({}, 4).empty());
  Item broken, words;
  broken.error = "can't be made";
  words.messages = {{"user", {{ContentPart::Kind::text, "hello", 0}}}};
  words.max_new_tokens = 500;
  const std::vector<Unit> units = texts_to_warm_up({broken, words}, 4);
  ASSERT_EQ(units.size(), 2u);
  EXPECT_EQ(units[0].items.size(), 4u);
  EXPECT_EQ(units[1].items.size(), 1u);
  for (const Item& item : units[0].items) {
    EXPECT_EQ(item.messages, words.messages);
    EXPECT_EQ(item.max_new_tokens, 3);
    EXPECT_GT(item.temperature, 0);
    EXPECT_NE(item.repetition_penalty, 1);
  }
}

}  // namespace
}  // namespace trireme
