#include "worker/engine/whole_model.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "tests/worker/engine/fake_work.h"

namespace trireme {
namespace {

class WholeModelEngineTest : public testing::Test {
 protected:
  std::unique_ptr<Model> model_ = fake_pictures();
};

// What the header of model.h promises a unit goes through, written down without slices or engine.
Result by_hand(Model& model, const Unit& unit) {
  std::vector<Result> results;
  const auto run = [](Slices& slices) {
    for (Slice& s : slices) s.run();
    slices.clear();
  };
  Slices slices;
  const auto session = model.begin(unit, slices);
  run(slices);
  while (!session->done()) {
    for (int half = 0; half < session->halves; ++half) {
      model.enter(*session, half, slices);
      model.layers(*session, half, {0, model.layer_count()}, slices);
      model.leave(*session, half, slices);
    }
    model.advance(*session, slices);
    run(slices);
  }
  model.finish(*session, slices, results);
  run(slices);
  return results.at(0);
}

}  // namespace

TEST_F(WholeModelEngineTest, GivesWhatTheSixVerbsGiveInTheOrderOfSubmission) {
  WholeModelEngine engine(*model_);
  for (std::uint64_t i = 0; i < 5; ++i) engine.submit(picture_unit(i, "a prompt", i % 2 ? 3.0 : 0.0));
  const auto finished = run_out(engine);
  ASSERT_EQ(finished.size(), 5u);
  for (std::uint64_t i = 0; i < 5; ++i) {
    const Result expected = by_hand(*model_, picture_unit(i, "a prompt", i % 2 ? 3.0 : 0.0));
    const Result& result = finished[i].results.at(0);
    EXPECT_EQ(finished[i].unit.index, i);
    EXPECT_EQ(result.id, "item" + std::to_string(i));
    EXPECT_TRUE(at::equal(result.picture, expected.picture));
    EXPECT_EQ(result.picture.sizes(), (at::IntArrayRef{10, 12, 3}));
    EXPECT_TRUE(at::equal(result.tensors.at("latents"), expected.tensors.at("latents")));
  }
}

TEST_F(WholeModelEngineTest, BitsDoNotDependOnTheSlicesInFlight) {
  for (std::size_t in_flight : {1, 2, 64}) {
    WholeModelEngine engine(*model_, {in_flight, std::chrono::microseconds(0)});
    engine.submit(picture_unit(7, "a prompt", 2.5));
    EXPECT_TRUE(at::equal(run_out(engine).at(0).results.at(0).tensors.at("latents"),
                          by_hand(*model_, picture_unit(7, "a prompt", 2.5)).tensors.at("latents")));
  }
}

TEST_F(WholeModelEngineTest, AFailedItemNamesWhyAndTheOthersGoOn) {
  WholeModelEngine engine(*model_);
  engine.submit(picture_unit(0, "fail please"));
  engine.submit(picture_unit(1, "fine"));
  const auto finished = run_out(engine);
  EXPECT_EQ(finished.at(0).results.at(0).error, "the prompt asks to fail");
  EXPECT_EQ(finished.at(0).results.at(0).id, "item0");
  EXPECT_FALSE(finished.at(0).results.at(0).picture.defined());
  EXPECT_EQ(finished.at(1).results.at(0).error, "");
}

TEST_F(WholeModelEngineTest, AnErrorOfTheProgramIsNotAnItems) {
  WholeModelEngine engine(*model_);
  engine.submit(picture_unit(0, "throw"));
  EXPECT_THROW(run_out(engine), Error);
}

TEST_F(WholeModelEngineTest, RecallGivesBackOnlyWhatHasNotBegun) {
  WholeModelEngine engine(*model_, {1, std::chrono::microseconds(0)});
  for (std::uint64_t i = 0; i < 3; ++i) engine.submit(picture_unit(i, "x"));
  engine.progress();
  const auto back = engine.recall();
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[0].index, 1u);
  EXPECT_EQ(run_out(engine).at(0).unit.index, 0u);
}

TEST_F(WholeModelEngineTest, ReturnsWithinItsBudgetOfHostTime) {
  WholeModelEngine engine(*model_);
  engine.submit(picture_unit(0, "cost=0.6"));  // 50 ms a layer: one slice a call, never a whole pass
  engine.progress();
  const auto before = engine.slices_done();
  engine.progress();
  EXPECT_LE(engine.slices_done() - before, 3u);
  EXPECT_GT(run_out(engine).at(0).seconds[static_cast<std::size_t>(Phase::denoise)], 0.5);
}

/// Requests that are answered together.
class BatchTest : public testing::Test {
 protected:
  std::vector<Result> answer(const Unit& unit) {
    WholeModelEngine engine(*model_);
    engine.submit(unit);
    while (engine.progress() || engine.slices_done() == 0) {
      if (auto finished = engine.take()) {
        tokens_ = engine.tokens_done();
        return std::move(finished->results);
      }
    }
    return {};
  }

  std::unique_ptr<Model> model_ = fake_texts();
  std::uint64_t tokens_ = 0;
};

TEST_F(BatchTest, RowsEndByThemselvesAndTheSessionWithTheLast) {
  const auto results = answer(text_unit({"length=1", "as long as may be"}));
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].text->token_ids.size(), 2u) << "with the end";
  EXPECT_EQ(results[0].text->finish_reason, FinishReason::stop);
  EXPECT_EQ(results[1].text->token_ids.size(), 4u);
  EXPECT_EQ(results[1].text->finish_reason, FinishReason::length);
  EXPECT_GT(results[1].text->first_token_seconds, 0);
  EXPECT_GT(results[1].text->decode_seconds, 0);
  EXPECT_EQ(tokens_, 6u);
}

TEST_F(BatchTest, AnItemThatFailsLeavesTheOthersAsTheyAre) {
  const auto alone = answer(text_unit({"a", "b"}));
  for (const std::vector<std::string>& prompts :
       {std::vector<std::string>{"fail", "a", "b"}, {"a", "fail", "b"}, {"fail", "a", "fail", "b", "fail"}}) {
    const auto results = answer(text_unit(prompts));
    ASSERT_EQ(results.size(), prompts.size());
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      EXPECT_EQ(results[i].id, "item" + std::to_string(i));
      EXPECT_EQ(results[i].error, prompts[i] == "fail" ? "the prompt asks to fail" : "");
      if (prompts[i] != "fail") {
        EXPECT_EQ(results[i].text->text, alone[prompts[i] == "a" ? 0 : 1].text->text);
      }
    }
  }
}

// A picture is decoded in a slice: the unit has begun by then.
TEST_F(BatchTest, ADamagedPictureFailsItsItemInTheMiddleOfTheWork) {
  Unit unit = text_unit({"a", "b", "c"});
  unit.items[1].images = {{"broken.png", "", "", 3, "not"}};
  const auto results = answer(unit);
  EXPECT_EQ(results.at(1).error, "broken.png: neither PNG nor JPEG");
  EXPECT_TRUE(results.at(0).text && results.at(2).text);
}

TEST_F(BatchTest, WhatWasFoundWrongBeforeNoModelSees) {
  Unit unit = text_unit({"throw", "b"});
  unit.items[0].error = "nobody could read it";
  EXPECT_EQ(answer(unit).at(0).error, "nobody could read it");
  unit.items.pop_back();
  EXPECT_EQ(answer(unit).at(0).error, "nobody could read it");
}

}  // namespace trireme
