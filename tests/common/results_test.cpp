#include "common/results.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/files.h"
#include "tests/common/temporary_folder.h"

namespace trireme {

TEST(Results, AreInTheOrderOfTheInputAndHoldWhatTheJournalSays) {
  std::vector<Item> items(4);
  std::unordered_map<std::string, ItemRecord> records;
  for (int i = 0; i < 4; ++i) items[i].id = std::string(1, static_cast<char>('d' - i));
  for (const char* id : {"b", "d", "a"}) {
    records[id].id = id;
    records[id].ok = true;
    records[id].picture = {std::string("images/") + id + ".png", "hash", 7};
    records[id].seed = 5;
  }
  const TemporaryFolder folder;
  write_results(folder / "results.jsonl", items, records);
  const auto line = [](const std::string& id) {
    return "{\"id\":\"" + id + "\",\"status\":\"ok\",\"file\":\"images/" + id +
           ".png\",\"sha256\":\"hash\",\"bytes\":7,\"seed\":5,\"seconds\":0.0,\"replica\":-1,\"attempt\":1}\n";
  };
  EXPECT_EQ(read_file(folder / "results.jsonl", 1 << 20), line("d") + line("b") + line("a"));  // c is not finished
}

TEST(Results, HoldWhatTheInputAskedFor) {
  std::vector<Item> items(3);
  std::unordered_map<std::string, ItemRecord> records;
  for (int i = 0; i < 3; ++i) {
    items[i].id = std::to_string(i);
    records[items[i].id].id = items[i].id;
  }
  items[0].prompt = "a \"fox\"\n狐狸";
  items[1].messages = {{"user", {{ContentPart::Kind::text, "first", 0}}},
                       {"assistant", {{ContentPart::Kind::text, "no", 0}}},
                       {"user", {{ContentPart::Kind::image, "", 0}, {ContentPart::Kind::text, "and this?", 0}}}};
  items[1].images = {{.name = "b.png"}};
  const TemporaryFolder folder;
  write_results(folder / "results.jsonl", items, records);
  const std::vector<ResultLine> lines = read_results(folder / "results.jsonl");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].prompt, "a \"fox\"\n狐狸");
  EXPECT_EQ(lines[1].prompt, "and this?") << "what the user said last";
  EXPECT_EQ(lines[1].images, std::vector<std::string>{"b.png"});
  EXPECT_EQ(lines[2].prompt, "");
  EXPECT_EQ(read_results(folder / "results.jsonl", 2).size(), 2u);
}

TEST(Results, OfManyItemsAreAllThere) {
  std::vector<Item> items(20'000);
  std::unordered_map<std::string, ItemRecord> records;
  for (std::size_t i = 0; i < items.size(); ++i) {
    items[i].id = std::to_string(i);
    records[items[i].id].id = items[i].id;
    records[items[i].id].error = "failed";
  }
  const TemporaryFolder folder;
  write_results(folder / "results.jsonl", items, records);
  const std::string text = read_file(folder / "results.jsonl", 1 << 24);
  EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')), items.size());
}

}  // namespace trireme
