#include "worker/engine/second_try.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/fake_work.h"
#include "worker/engine/overlapped.h"

namespace trireme {
namespace {

using testing::StartsWith;

std::map<std::string, Result> make(const std::vector<std::string>& prompts, bool degrade) {
  const auto model = fake_pictures();
  SecondTryEngine engine(std::make_unique<OverlappedEngine>(*model), *model, {.degrade = degrade});
  for (std::size_t i = 0; i < prompts.size(); ++i) engine.submit(picture_unit(i, prompts[i]));
  std::map<std::string, Result> results = by_id(run_out(engine));
  EXPECT_EQ(results.size(), prompts.size());
  return results;
}

TEST(SecondTry, AUnitForWhichMemoryWasShortBeginsAgainAlone) {
  const auto results = make({"a", "oom=1", "b", "oom_decode=1", "c"}, false);
  const auto plain = make({"a", "oom=0", "b", "oom=0", "c"}, false);
  for (const auto& [id, result] : results) {
    EXPECT_EQ(result.error, "") << id;
    EXPECT_FALSE(result.degraded) << id;
  }
  EXPECT_TRUE(at::equal(results.at("item4").picture, plain.at("item4").picture));
}

TEST(SecondTry, WhatDoesNotFitAloneFails) {
  const auto results = make({"a", "oom=2", "oom=2", "fail", "b"}, false);
  for (const char* id : {"item1", "item2"}) EXPECT_THAT(results.at(id).error, StartsWith("oom: ")) << id;
  EXPECT_EQ(results.at("item3").error, "the prompt asks to fail");
  EXPECT_EQ(results.at("item0").error + results.at("item4").error, "");
}

TEST(SecondTry, OrIsDegraded) {
  const auto results = make({"oom_decode=2", "oom_decode=4"}, true);
  EXPECT_EQ(results.at("item0").error, "");
  EXPECT_TRUE(results.at("item0").degraded);
  EXPECT_THAT(results.at("item1").error, StartsWith("oom: "));
}

TEST(SecondTry, GivesBackWhatHasNotBegun) {
  const auto model = fake_pictures();
  const OverlappedEngine::Settings one_slice{1, 1, std::chrono::microseconds(0)};
  SecondTryEngine engine(std::make_unique<OverlappedEngine>(*model, one_slice), *model, {});
  for (std::uint64_t i = 0; i < 5; ++i) engine.submit(picture_unit(i, i == 0 ? "oom=1" : "x"));
  for (int calls = 0; calls < 3; ++calls) engine.progress();
  const std::size_t back = engine.recall().size();
  EXPECT_EQ(run_out(engine).size() + back, 5u);
  EXPECT_GE(back, 2u);
}

}  // namespace
}  // namespace trireme
