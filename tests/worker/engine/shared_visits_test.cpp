// Units that take layers in turn, and units for which memory was short.

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/fake_work.h"
#include "tests/worker/engine/forwarding_model.h"
#include "worker/engine/whole_model.h"

namespace trireme {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Item picture(const std::string& id, const std::string& prompt, int steps = 2) {
  return picture_item(id, prompt, steps);
}

/// The fake model, its layers coming from the host: places 10 to 13. Notes who visits which.
class LayersFromTheHost final : public ForwardingModel {
 public:
  LayersFromTheHost() : ForwardingModel(fake_pictures()) {}
  void layers(Session& s, int half, Layers range, Slices& slices) override {
    const std::size_t first = slices.size();
    ForwardingModel::layers(s, half, range, slices);
    for (std::size_t i = first; i < slices.size(); ++i) {
      slices[i].layer = 10 + static_cast<int>(i - first);
      slices[i].run = [this, &s, layer = slices[i].layer, run = std::move(slices[i].run)] {
        if (visits.empty() || visits.back().first != layer) visits.push_back({layer, ""});
        visits.back().second += s.unit.items[0].id;
        run();
      };
    }
  }

  std::vector<std::pair<int, std::string>> visits;  // of a layer, by whom
};

class SharedVisits : public testing::Test {
 protected:
  std::map<std::string, Result> make(Model& model, const std::vector<Unit>& units,
                                     const WholeModelEngine::Settings& settings) {
    WholeModelEngine engine(model, settings);
    for (const Unit& unit : units) engine.submit(unit);
    std::vector<Finished> all = run_out(engine);
    for (const Finished& finished : all) {
      order_.push_back(finished.unit.index);
      denoise_seconds_ += finished.seconds[static_cast<std::size_t>(Phase::denoise)];
    }
    return by_id(std::move(all));
  }

  static std::vector<Unit> units(const std::vector<Item>& items) {
    std::vector<Unit> all;
    for (const Item& item : items) all.push_back({all.size(), {item}, 1});
    return all;
  }

  std::unique_ptr<Model> plain_ = fake_pictures(), text_ = fake_texts();
  std::vector<std::uint64_t> order_;
  double denoise_seconds_ = 0;
};

TEST_F(SharedVisits, EveryUnitTakesALayerBeforeTheNextOneComes) {
  LayersFromTheHost model;
  make(model, units({picture("a", "x"), picture("b", "y"), picture("c", "z")}), {.units_at_once = 3});
  ASSERT_EQ(model.visits.size(), 8u) << "two passes of four layers";
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(model.visits[i].first, 10 + static_cast<int>(i % 4));
    EXPECT_EQ(model.visits[i].second, "abc");
  }
}

TEST_F(SharedVisits, UnitsOfOtherLengthsGoAroundTogetherWhileTheyLast) {
  LayersFromTheHost model;
  Item guided = picture("b", "y", 3);
  guided.guidance = 2;  // six rounds: two halves a pass
  make(model, units({picture("a", "x", 1), guided, picture("c", "z", 2), picture("d", "z", 1)}), {.units_at_once = 3});
  EXPECT_EQ(model.visits.size(), 4u * (6 + 1)) << "the longest of the first three, then the fourth";
  EXPECT_EQ(model.visits.back().second, "d");
}

TEST_F(SharedVisits, ResultsAreThoseOfUnitsOneByOne) {
  std::vector<Item> items;
  for (int i = 0; i < 7; ++i) {
    items.push_back(picture("p" + std::to_string(i), "prompt " + std::to_string(i), 1 + i % 3));
    items.back().seed = static_cast<std::uint64_t>(i);
    items.back().guidance = i % 2;
  }
  const auto alone = make(*plain_, units(items), {});
  LayersFromTheHost model;
  for (const std::size_t at_once : {2, 4, 16}) {
    const auto together = make(model, units(items), {.units_at_once = at_once});
    ASSERT_EQ(together.size(), alone.size());
    for (const auto& [id, result] : alone) {
      EXPECT_TRUE(at::equal(together.at(id).picture, result.picture)) << id;
      EXPECT_TRUE(at::equal(together.at(id).tensors.at("latents"), result.tensors.at("latents"))) << id;
      EXPECT_FALSE(together.at(id).degraded);
    }
  }
}

TEST_F(SharedVisits, AUnitsSecondsAreThoseInWhichItHadTheDevice) {
  LayersFromTheHost model;
  make(model, units({picture("a", "cost=0.2"), picture("b", "cost=0.2")}), {.units_at_once = 2});
  EXPECT_GE(denoise_seconds_, 0.4);
  EXPECT_LT(denoise_seconds_, 0.6) << "each counts its own 0.2 s, not the other's";
}

TEST_F(SharedVisits, AnItemThatFailsLeavesTheOthersGoing) {
  LayersFromTheHost model;
  const auto results =
      make(model, units({picture("a", "fail_layer=2"), picture("b", "y"), picture("c", "fail")}), {.units_at_once = 3});
  EXPECT_THAT(results.at("a").error, HasSubstr("asks to fail in layer 2"));
  EXPECT_EQ(results.at("b").error, "");
  EXPECT_EQ(results.at("c").error, "the prompt asks to fail");
}

TEST_F(SharedVisits, AUnitForWhichMemoryWasShortBeginsAgainAlone) {
  LayersFromTheHost model;
  const auto results =
      make(model, units({picture("a", "x"), picture("b", "oom=1"), picture("c", "z")}), {.units_at_once = 2});
  for (const char* id : {"a", "b", "c"}) EXPECT_EQ(results.at(id).error, "") << id;
  EXPECT_FALSE(results.at("b").degraded) << "the same work: the same bits";
  EXPECT_EQ(order_, (std::vector<std::uint64_t>{0, 1, 2})) << "before those that have not begun";
  const auto again = make(*plain_, units({picture("b", "oom=1")}), {});
  EXPECT_TRUE(at::equal(again.at("b").picture, results.at("b").picture));
}

TEST_F(SharedVisits, WhatDoesNotFitAloneFailsAndTheJobGoesOn) {
  const auto results =
      make(*plain_, units({picture("a", "oom=2"), picture("b", "oom_decode=99"), picture("c", "z")}), {});
  EXPECT_THAT(results.at("a").error, StartsWith("oom: out of device memory"));
  EXPECT_THAT(results.at("a").error, HasSubstr("the prompt asks for it"));
  EXPECT_THAT(results.at("a").error, testing::Not(HasSubstr("\n")));
  EXPECT_THAT(results.at("b").error, StartsWith("oom: "));
  EXPECT_EQ(results.at("c").error, "");
}

TEST_F(SharedVisits, DecodingMayBeDegradedToSmallerTiles) {
  const auto results = make(*plain_,
                            units({picture("a", "oom_decode=1"), picture("b", "oom_decode=2"),
                                   picture("c", "oom_decode=3"), picture("d", "oom_decode=4")}),
                            {.degrade = true});
  EXPECT_EQ(results.at("a").error, "");
  EXPECT_FALSE(results.at("a").degraded) << "it fitted alone";
  for (const char* id : {"b", "c"}) {
    EXPECT_EQ(results.at(id).error, "") << id;
    EXPECT_TRUE(results.at(id).degraded) << id;
  }
  EXPECT_THAT(results.at("d").error, StartsWith("oom: ")) << "tiles are halved twice";
}

TEST_F(SharedVisits, NothingHelpsAPassThatDoesNotFit) {
  EXPECT_THAT(make(*plain_, units({picture("a", "oom=2")}), {.degrade = true}).at("a").error, StartsWith("oom: "));
}

class ShortBatch : public SharedVisits {};

TEST_F(ShortBatch, FailsAsAWholeUnlessItMayBeDegraded) {
  const auto results = make(*text_, {text_unit({"a", "oom_above=1", "c"})}, {});
  for (const char* id : {"item0", "item1", "item2"}) EXPECT_THAT(results.at(id).error, StartsWith("oom: ")) << id;
}

TEST_F(ShortBatch, GoesOneByOneWhenItMay) {
  const auto whole = make(*text_, {text_unit({"a", "b", "c"})}, {});
  const auto results = make(*text_, {text_unit({"a", "oom_above=1", "c"})}, {.degrade = true});
  for (const char* id : {"item0", "item1", "item2"}) {
    EXPECT_EQ(results.at(id).error, "") << id;
    EXPECT_TRUE(results.at(id).degraded) << id;
  }
  EXPECT_EQ(results.at("item0").text->text, whole.at("item0").text->text);
  EXPECT_EQ(results.at("item2").text->text, whole.at("item2").text->text);
  EXPECT_GT(results.at("item2").text->first_token_seconds, 0);
}

TEST_F(ShortBatch, AnItemThatDoesNotFitAloneFailsAlone) {
  const auto results = make(*text_, {text_unit({"a", "oom_above=0", "c", "fail"})}, {.degrade = true});
  EXPECT_THAT(results.at("item1").error, StartsWith("oom: "));
  EXPECT_EQ(results.at("item3").error, "the prompt asks to fail");
  EXPECT_EQ(results.at("item0").error + results.at("item2").error, "");
}

}  // namespace
}  // namespace trireme
