#include "worker/engine/second_try.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/engine/overlapped.h"
#include "worker/models/fake/fake_model.h"
#include "worker/models/list.h"

namespace trireme {
namespace {

using testing::StartsWith;

class SecondTry : public testing::Test {
 protected:
  static Unit unit(std::uint64_t index, const std::string& prompt) {
    Unit unit{index, {}, 1};
    Item& item = unit.items.emplace_back();
    item.id = "item" + std::to_string(index);
    item.prompt = prompt;
    item.seed = index;
    item.width = item.height = 16;
    item.steps = 3;
    return unit;
  }

  std::map<std::string, Result> make(const std::vector<std::string>& prompts, bool degrade) {
    const auto model = make_fake_model(ModelSettings{job_, at::kCPU, at::kFloat});
    SecondTryEngine engine(std::make_unique<OverlappedEngine>(*model), *model, {.degrade = degrade});
    for (std::size_t i = 0; i < prompts.size(); ++i) engine.submit(unit(i, prompts[i]));
    std::map<std::string, Result> results;
    for (int calls = 0; !engine.idle() && calls < 100'000; ++calls) {
      engine.progress();
      while (auto finished = engine.take()) {
        for (Result& result : finished->results) results[result.id] = std::move(result);
      }
    }
    EXPECT_TRUE(engine.idle());
    EXPECT_EQ(results.size(), prompts.size());
    return results;
  }

  Job job_;
};

TEST_F(SecondTry, AUnitForWhichMemoryWasShortBeginsAgainAlone) {
  const auto results = make({"a", "oom=1", "b", "oom_decode=1", "c"}, false);
  const auto plain = make({"a", "oom=0", "b", "oom=0", "c"}, false);
  for (const auto& [id, result] : results) {
    EXPECT_EQ(result.error, "") << id;
    EXPECT_FALSE(result.degraded) << id;
  }
  EXPECT_TRUE(at::equal(results.at("item4").picture, plain.at("item4").picture));
}

TEST_F(SecondTry, WhatDoesNotFitAloneFails) {
  const auto results = make({"a", "oom=2", "oom=2", "fail", "b"}, false);
  for (const char* id : {"item1", "item2"}) EXPECT_THAT(results.at(id).error, StartsWith("oom: ")) << id;
  EXPECT_EQ(results.at("item3").error, "the prompt asks to fail");
  EXPECT_EQ(results.at("item0").error + results.at("item4").error, "");
}

TEST_F(SecondTry, OrIsDegraded) {
  const auto results = make({"oom_decode=2", "oom_decode=4"}, true);
  EXPECT_EQ(results.at("item0").error, "");
  EXPECT_TRUE(results.at("item0").degraded);
  EXPECT_THAT(results.at("item1").error, StartsWith("oom: "));
}

TEST_F(SecondTry, GivesBackWhatHasNotBegun) {
  const auto model = make_fake_model(ModelSettings{job_, at::kCPU, at::kFloat});
  const OverlappedEngine::Settings one_slice{1, 1, std::chrono::microseconds(0)};
  SecondTryEngine engine(std::make_unique<OverlappedEngine>(*model, one_slice), *model, {});
  for (std::uint64_t i = 0; i < 5; ++i) engine.submit(unit(i, i == 0 ? "oom=1" : "x"));
  for (int calls = 0; calls < 3; ++calls) engine.progress();
  const std::size_t back = engine.recall().size();
  std::size_t made = 0;
  while (!engine.idle()) {
    engine.progress();
    while (engine.take()) ++made;
  }
  EXPECT_EQ(made + back, 5u);
  EXPECT_GE(back, 2u);
}

}  // namespace
}  // namespace trireme
