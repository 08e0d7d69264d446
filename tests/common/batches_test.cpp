#include "common/batches.h"

#include <gtest/gtest.h>

#include <map>

#include "common/shard_file.h"

namespace trireme {
namespace {

std::vector<Item> items(std::size_t count) {
  std::vector<Item> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i].index = i;
  return all;
}

using Places = std::vector<std::vector<std::uint64_t>>;

/// Of the items of each unit, in the input.
Places places(const std::vector<Unit>& units) {
  Places all;
  for (const Unit& unit : units) {
    all.emplace_back();
    EXPECT_EQ(unit.index, unit.items.front().index);
    for (const Item& item : unit.items) all.back().push_back(item.index);
  }
  return all;
}

}  // namespace

TEST(Batches, AreNeighboursInTheInputAndNothingIsLost) {
  for (const std::size_t count : {0u, 1u, 4u, 5u, 12u}) {
    for (const int batch : {1, 3, 4, 100}) {
      const std::vector<Unit> units = form_units(items(count), batch);
      std::uint64_t next = 0;
      for (std::size_t u = 0; u < units.size(); ++u) {
        EXPECT_EQ(units[u].index, u * static_cast<std::uint64_t>(batch));
        EXPECT_EQ(units[u].attempt, 1);
        EXPECT_TRUE(units[u].items.size() == static_cast<std::size_t>(batch) || u + 1 == units.size());
        for (const Item& item : units[u].items) EXPECT_EQ(item.index, next++);
      }
      EXPECT_EQ(next, count);
    }
  }
}

TEST(Batches, OfAShardAreThoseOfTheWholeInput) {
  std::map<std::uint64_t, Unit> whole;
  for (const Unit& unit : form_units(items(11), 3)) whole.emplace(unit.index, unit);
  for (int shards : {1, 2, 5}) {
    for (int i = 0; i < shards; ++i) {
      std::vector<Item> share = items(11);
      std::vector<Unit> units = form_units(share, 3);
      take_shard({i, shards}, share, units);
      std::size_t own = 0;
      for (const Unit& unit : units) {
        EXPECT_EQ(unit.items, whole.at(unit.index).items);
        EXPECT_EQ(static_cast<int>(unit.index / 3) % shards, i);
        own += unit.items.size();
      }
      EXPECT_EQ(share.size(), own);
    }
  }
}

TEST(Batches, PicturesShareAUnitOnlyWithTheirLike) {
  std::vector<Item> pictures = items(8);
  for (Item& item : pictures) item.width = item.height = 64, item.steps = 8;
  pictures[2].width = 128;
  pictures[5].steps = 9;
  pictures[6].prompt = "and another prompt";
  EXPECT_EQ(places(form_units(pictures, 4)), (Places{{0, 1, 3, 4}, {2}, {5}, {6, 7}}));
  EXPECT_EQ(places(form_units(pictures, 1)), (Places{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}}));
}

TEST(Batches, StandTogetherByTheLengthOfTheirCaptions) {
  std::vector<Item> pictures = items(7);
  EXPECT_EQ(places(form_units(pictures, 2, {64, 96, 64, 64, 32, 96, 64})), (Places{{2, 3}, {4, 0}, {5}, {6, 1}}))
      << "what is left of a length goes with the next, shorter captions first";
  EXPECT_EQ(places(form_units(pictures, 1, {64, 96, 64, 64, 32, 96, 64})), places(form_units(pictures, 1)));
  pictures[2].width = 128;
  EXPECT_EQ(places(form_units(pictures, 4, {64, 96, 64, 64, 32, 96, 64})), (Places{{1, 5}, {2}, {4, 0, 3, 6}}));
}

TEST(Batches, AutoIsLargeOnAGpuForTextAndSmallPicturesWithEnoughToDo) {
  Job job;
  SamplingDefaults text, pictures;
  text.makes = Makes::text;
  int size = 1024;
  const auto most = [&](const SamplingDefaults& defaults, const char* device, std::size_t count) {
    std::vector<Item> all = items(count);
    for (Item& item : all) item.width = item.height = size;
    return choose_batches(job, defaults, device, all).most;
  };
  EXPECT_EQ(most(pictures, "NVIDIA H200", 10'000), 1);
  EXPECT_EQ(most(text, "cpu", 10'000), 1);
  EXPECT_EQ(most(text, "NVIDIA H200", 10'000), 16);
  EXPECT_EQ(most(text, "NVIDIA A100", 128), 4);
  EXPECT_EQ(most(text, "NVIDIA H200", 3), 1);
  EXPECT_EQ(most(text, "NVIDIA H200", 0), 1);
  pictures.batches = true;
  EXPECT_EQ(most(pictures, "NVIDIA H200", 10'000), 1) << "of 1024 x 1024";
  size = 528;
  EXPECT_EQ(most(pictures, "NVIDIA H200", 10'000), 1);
  size = 512;
  EXPECT_EQ(most(pictures, "NVIDIA H200", 10'000), 4);
  EXPECT_EQ(most(pictures, "NVIDIA H200", 64), 2) << "32 units to share";
  EXPECT_EQ(most(pictures, "NVIDIA A100", 10'000), 1) << "not measured";
  EXPECT_EQ(most(pictures, "cpu", 10'000), 1);
  job.dispatch.batch = 5;
  EXPECT_EQ(most(text, "cpu", 3), 5);
  EXPECT_EQ(most(pictures, "cpu", 3), 5);
}

}  // namespace trireme
