#include "common/input_shard.h"

#include <gtest/gtest.h>

#include <fstream>

#include "common/batches.h"
#include "common/errors.h"
#include "common/shard_file.h"
#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

std::vector<Item> items(std::size_t count) {
  std::vector<Item> all(count);
  for (std::size_t i = 0; i < count; ++i) {
    all[i].id = "item" + std::to_string(i);
    all[i].index = i;
  }
  return all;
}

}  // namespace

TEST(InputShard, EveryUnitBelongsToExactlyOneShard) {
  for (const int count : {1, 2, 3, 7}) {
    for (std::uint64_t unit = 0; unit < 40; ++unit) {
      int owners = 0;
      for (int index = 0; index < count; ++index) owners += InputShard{index, count}.takes(unit);
      EXPECT_EQ(owners, 1) << unit << " of " << count;
    }
  }
}

TEST(InputShard, IsWrittenAsItIsRead) {
  EXPECT_EQ(parse_shard("2/4"), (InputShard{2, 4}));
  EXPECT_EQ(to_text(parse_shard("0/1")), "0/1");
  for (const char* wrong : {"", "4", "4/4", "-1/4", "1/0", "1/", "/4", "a/b", "1/4x", "0x1/4", "1/1000000"}) {
    EXPECT_THROW(parse_shard(wrong), ConfigError) << wrong;
  }
}

TEST(InputShard, TheFoldersOfARunAreFoundInOrder) {
  const TemporaryFolder folder;
  for (const InputShard& shard : {InputShard{2, 4}, InputShard{0, 4}}) {
    std::filesystem::create_directory(folder.path() / folder_name(shard));
  }
  std::filesystem::create_directory(folder.path() / "shard-1-of-4");
  std::filesystem::create_directory(folder.path() / "images");
  EXPECT_EQ(shards_in(folder.path()), (std::vector<InputShard>{{0, 4}, {2, 4}}));
  EXPECT_TRUE(shards_in(folder.path() / "absent").empty());
}

TEST(InputShard, AJobOnTheWholeInputDoesNotOverlookShardsThatWereNotMerged) {
  const TemporaryFolder folder;
  EXPECT_NO_THROW(refuse_unmerged_shards(folder.path()));
  std::filesystem::create_directory(folder.path() / folder_name({1, 4}));
  const std::string message = error_of([&] { refuse_unmerged_shards(folder.path()); }).what();
  EXPECT_NE(message.find("--shard i/4"), std::string::npos) << message;
  EXPECT_NE(message.find("trireme merge"), std::string::npos) << message;
  std::ofstream(folder.path() / "journal.jsonl") << "merged";
  EXPECT_NO_THROW(refuse_unmerged_shards(folder.path()));
}

TEST(ShardFile, KeepsTheShardAndWhereItsItemsStand) {
  std::vector<Item> all = items(7);
  std::vector<Unit> units = form_units(all, 1);
  const ShardFile file = take_shard({1, 3}, all, units);
  EXPECT_EQ(units.size(), 2u);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].id, "item4");
  const TemporaryFolder folder;
  write_shard_file(folder.path(), file);
  const ShardFile read = read_shard_file(folder.path());
  EXPECT_EQ(read.shard, (InputShard{1, 3}));
  EXPECT_EQ(read.total, 7u);
  EXPECT_EQ(read.ids, (std::vector<std::string>{"item1", "item4"}));
  EXPECT_EQ(read.places, (std::vector<std::uint64_t>{1, 4}));
}

TEST(ShardFile, MoreShardsThanItemsLeavesSomeEmpty) {
  std::vector<Item> all = items(2);
  std::vector<Unit> units = form_units(all, 1);
  EXPECT_TRUE(take_shard({3, 4}, all, units).ids.empty());
  EXPECT_TRUE(all.empty());
}

TEST(ShardFile, ADamagedOneIsNamed) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "shard.json") << R"({"format":"trireme shard 1","shard":"0/2","total":2,)"
                                              << R"("ids":["a","b"],"places":[0]})";
  EXPECT_NE(std::string(error_of([&] { read_shard_file(folder.path()); }).what()).find("shard.json"),
            std::string::npos);
}

}  // namespace trireme
