#include "worker/engine/overlapped.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/errors.h"
#include "tests/worker/engine/fake_work.h"
#include "worker/engine/whole_model.h"

namespace trireme {
namespace {

class OverlappedEngineTest : public testing::Test {
 protected:
  std::unique_ptr<Model> model_ = fake_pictures();
};

}  // namespace

TEST_F(OverlappedEngineTest, GivesWhatOneUnitAfterTheOtherGives) {
  OverlappedEngine engine(*model_);
  WholeModelEngine plain(*model_);
  for (Engine* each : {static_cast<Engine*>(&engine), static_cast<Engine*>(&plain)}) {
    for (std::uint64_t i = 0; i < 6; ++i)
      each->submit(picture_unit(i, "a prompt", i % 2 ? 3.0 : 0.0, 1 + static_cast<int>(i)));
  }
  const auto finished = run_out(engine), expected = run_out(plain);
  ASSERT_EQ(finished.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(finished[i].unit.index, i);
    EXPECT_EQ(finished[i].results.at(0).id, expected[i].results.at(0).id);
    EXPECT_TRUE(at::equal(finished[i].results.at(0).picture, expected[i].results.at(0).picture));
    EXPECT_TRUE(
        at::equal(finished[i].results.at(0).tensors.at("latents"), expected[i].results.at(0).tensors.at("latents")));
  }
}

TEST_F(OverlappedEngineTest, DecodesOneUnitWhileTheNextTakesItsSteps) {
  OverlappedEngine engine(*model_, {.pass_budget = std::chrono::hours(1)});  // turns of 8 slices
  for (std::uint64_t i = 0; i < 3; ++i) engine.submit(picture_unit(i, "cost=0.05"));
  run_out(engine);
  const std::vector<Span> spans = engine.spans();
  const auto span = [&](SpanKind kind, std::uint64_t number) {
    return *std::find_if(spans.begin(), spans.end(),
                         [&](const Span& one) { return one.kind == kind && one.unit == number; });
  };
  for (const std::uint64_t i : {0, 1}) {
    const Span steps = span(SpanKind::denoise, i);
    EXPECT_LT(span(SpanKind::encode, i + 1).begin, steps.begin + steps.seconds);
    const Span decode = span(SpanKind::decode, i);
    EXPECT_LT(span(SpanKind::denoise, i + 1).begin, decode.begin + decode.seconds);
  }
}

TEST_F(OverlappedEngineTest, AFailedItemNamesWhyAndTheOthersGoOn) {
  OverlappedEngine engine(*model_);
  engine.submit(picture_unit(0, "fail please"));
  engine.submit(picture_unit(1, "fine"));
  engine.submit(picture_unit(2, "fail please"));
  const auto finished = run_out(engine);
  ASSERT_EQ(finished.size(), 3u);
  EXPECT_EQ(finished[0].results.at(0).error, "the prompt asks to fail");
  EXPECT_EQ(finished[0].results.at(0).id, "item0");
  EXPECT_EQ(finished[1].results.at(0).error, "");
  EXPECT_TRUE(finished[1].results.at(0).picture.defined());
  EXPECT_EQ(finished[2].results.at(0).error, "the prompt asks to fail");
}

TEST_F(OverlappedEngineTest, AUnitThatFailsInItsStepsLeavesTheOthersAsTheyAre) {
  OverlappedEngine engine(*model_);
  for (std::uint64_t i = 0; i < 3; ++i) engine.submit(picture_unit(i, i == 1 ? "fail_layer=2" : "fine"));
  const auto finished = run_out(engine);
  ASSERT_EQ(finished.size(), 3u);
  EXPECT_EQ(finished[1].results.at(0).error, "the prompt asks to fail in layer 2");
  EXPECT_TRUE(finished[0].results.at(0).picture.defined() && finished[2].results.at(0).picture.defined());
}

TEST_F(OverlappedEngineTest, WhatWasFoundWrongBeforeNoModelSees) {
  OverlappedEngine engine(*model_);
  Unit broken = picture_unit(0, "throw");
  broken.items[0].error = "nobody could read it";
  engine.submit(broken);
  EXPECT_EQ(run_out(engine).at(0).results.at(0).error, "nobody could read it");
}

TEST_F(OverlappedEngineTest, AnErrorOfTheProgramIsNotAnItems) {
  OverlappedEngine engine(*model_);
  engine.submit(picture_unit(0, "throw"));
  EXPECT_THROW(run_out(engine), Error);
}

TEST_F(OverlappedEngineTest, RecallGivesBackWhatHasNotBegun) {
  OverlappedEngine engine(*model_, {.pass_budget = std::chrono::microseconds(0)});
  for (std::uint64_t i = 0; i < 4; ++i) engine.submit(picture_unit(i, "x", 0, 9));
  while (engine.slices_done() < 8) engine.progress();  // the first one has begun, and is far from its end
  const auto back = engine.recall();
  ASSERT_EQ(back.size(), 3u);
  EXPECT_EQ(back[0].index, 1u);
  EXPECT_EQ(run_out(engine).size(), 1u);
}

}  // namespace trireme
