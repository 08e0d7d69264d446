#include "worker/engine/whole_model.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "worker/models/fake/fake_model.h"
#include "worker/models/list.h"

namespace trireme {
namespace {

class WholeModelEngineTest : public testing::Test {
 protected:
  WholeModelEngineTest() {
    job_.output.tensors = true;
    model_ = make_fake_model(ModelSettings{job_, at::kCPU, at::kFloat});
  }

  static Unit unit(std::uint64_t index, const std::string& prompt, double guidance = 0) {
    Unit u;
    u.index = index;
    Item item;
    item.id = "item" + std::to_string(index);
    item.prompt = prompt;
    item.seed = index;
    item.width = 12;
    item.height = 10;
    item.steps = 3;
    item.guidance = guidance;
    u.items.push_back(item);
    return u;
  }

  static std::vector<Finished> run_out(Engine& engine) {
    std::vector<Finished> all;
    while (!engine.idle()) {
      engine.progress();
      while (auto f = engine.take()) all.push_back(std::move(*f));
    }
    return all;
  }

  Job job_;
  std::unique_ptr<Model> model_;
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
  for (std::uint64_t i = 0; i < 5; ++i) engine.submit(unit(i, "a prompt", i % 2 ? 3.0 : 0.0));
  const auto finished = run_out(engine);
  ASSERT_EQ(finished.size(), 5u);
  for (std::uint64_t i = 0; i < 5; ++i) {
    const Result expected = by_hand(*model_, unit(i, "a prompt", i % 2 ? 3.0 : 0.0));
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
    engine.submit(unit(7, "a prompt", 2.5));
    EXPECT_TRUE(at::equal(run_out(engine).at(0).results.at(0).tensors.at("latents"),
                          by_hand(*model_, unit(7, "a prompt", 2.5)).tensors.at("latents")));
  }
}

TEST_F(WholeModelEngineTest, AFailedItemNamesWhyAndTheOthersGoOn) {
  WholeModelEngine engine(*model_);
  engine.submit(unit(0, "fail please"));
  engine.submit(unit(1, "fine"));
  const auto finished = run_out(engine);
  EXPECT_EQ(finished.at(0).results.at(0).error, "the prompt asks to fail");
  EXPECT_EQ(finished.at(0).results.at(0).id, "item0");
  EXPECT_FALSE(finished.at(0).results.at(0).picture.defined());
  EXPECT_EQ(finished.at(1).results.at(0).error, "");
}

TEST_F(WholeModelEngineTest, AnErrorOfTheProgramIsNotAnItems) {
  WholeModelEngine engine(*model_);
  engine.submit(unit(0, "throw"));
  EXPECT_THROW(run_out(engine), Error);
}

TEST_F(WholeModelEngineTest, RecallGivesBackOnlyWhatHasNotBegun) {
  WholeModelEngine engine(*model_, {1, std::chrono::microseconds(0)});
  for (std::uint64_t i = 0; i < 3; ++i) engine.submit(unit(i, "x"));
  engine.progress();
  const auto back = engine.recall();
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[0].index, 1u);
  EXPECT_EQ(run_out(engine).at(0).unit.index, 0u);
}

TEST_F(WholeModelEngineTest, ReturnsWithinItsBudgetOfHostTime) {
  WholeModelEngine engine(*model_);
  engine.submit(unit(0, "cost=0.6"));  // 50 ms a layer: one slice a call, never a whole pass
  engine.progress();
  const auto before = engine.slices_done();
  engine.progress();
  EXPECT_LE(engine.slices_done() - before, 3u);
  EXPECT_GT(run_out(engine).at(0).seconds[static_cast<std::size_t>(Phase::denoise)], 0.5);
}

}  // namespace trireme
