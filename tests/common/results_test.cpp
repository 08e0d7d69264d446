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
