#include "common/batches.h"

#include <gtest/gtest.h>

#include "common/shard_file.h"

namespace trireme {
namespace {

std::vector<Item> items(std::size_t count) {
  std::vector<Item> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i].index = i;
  return all;
}

}  // namespace

TEST(Batches, AreNeighboursInTheInputAndNothingIsLost) {
  for (const std::size_t count : {0u, 1u, 4u, 5u, 12u}) {
    for (const int batch : {1, 3, 4, 100}) {
      const std::vector<Unit> units = form_units(items(count), batch);
      std::uint64_t next = 0;
      for (std::size_t u = 0; u < units.size(); ++u) {
        EXPECT_EQ(units[u].index, u);
        EXPECT_EQ(units[u].attempt, 1);
        EXPECT_TRUE(units[u].items.size() == static_cast<std::size_t>(batch) || u + 1 == units.size());
        for (const Item& item : units[u].items) EXPECT_EQ(item.index, next++);
      }
      EXPECT_EQ(next, count);
    }
  }
}

TEST(Batches, OfAShardAreThoseOfTheWholeInput) {
  const std::vector<Unit> whole = form_units(items(11), 3);
  for (int shards : {1, 2, 5}) {
    for (int i = 0; i < shards; ++i) {
      std::vector<Item> share = items(11);
      take_shard({i, shards}, share, 3);
      for (const Unit& unit : form_units(share, 3)) {
        EXPECT_EQ(unit.items, whole.at(unit.index).items);
        EXPECT_EQ(static_cast<int>(unit.index) % shards, i);
      }
    }
  }
}

TEST(Batches, AutoIsLargeForTextOnAGpuWithEnoughToDo) {
  Job job;
  EXPECT_EQ(batch_size(job, Makes::pictures, true, 10'000), 1);
  EXPECT_EQ(batch_size(job, Makes::text, false, 10'000), 1);
  EXPECT_EQ(batch_size(job, Makes::text, true, 10'000), 16);
  EXPECT_EQ(batch_size(job, Makes::text, true, 128), 4);
  EXPECT_EQ(batch_size(job, Makes::text, true, 3), 1);
  EXPECT_EQ(batch_size(job, Makes::text, true, 0), 1);
  job.dispatch.batch = 5;
  EXPECT_EQ(batch_size(job, Makes::text, false, 3), 5);
}

}  // namespace trireme
