#include "launcher/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "common/batches.h"
#include "common/input_shard.h"
#include "common/journal_lines.h"
#include "common/resume.h"
#include "common/run_directory.h"
#include "common/sha256.h"
#include "common/shard_file.h"
#include "launcher/verify.h"
#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A run of six items in shards, each picture a few bytes.
class Merge : public testing::Test {
 protected:
  fs::path folder_of(const InputShard& shard) const { return root_.path() / folder_name(shard); }

  /// `made`: how many of its items the shard has finished.
  void make_shard(const InputShard& shard, std::size_t made, const std::string& run_id = "run") const {
    std::vector<Item> items(6);
    for (std::size_t i = 0; i < items.size(); ++i) {
      items[i].id = name(i);
      items[i].index = i;
    }
    const fs::path folder = folder_of(shard);
    fs::create_directories(folder / "images");
    std::vector<Unit> units = form_units(items, 1);
    write_shard_file(folder, take_shard(shard, items, units));
    std::ofstream journal(folder / "journal.jsonl");
    journal << header_text(run_id) << to_text(JournalLine(StartLine{1, 2, 1, items.size(), {{"torch", "2.11.0"}}}));
    for (std::size_t i = 0; i < std::min(made, items.size()); ++i) {
      const std::string bytes = "picture of " + items[i].id;
      ItemRecord record;
      record.id = items[i].id;
      record.ok = true;
      record.picture = {RunPaths::picture(record.id), sha256_hex(bytes), bytes.size()};
      std::ofstream(folder / record.picture.file) << bytes;
      journal << to_text(JournalLine(record));
    }
    journal << to_text(JournalLine(EndLine{1, made < items.size() ? 75 : 0}));
  }

  static std::string name(std::size_t i) { return std::string(1, static_cast<char>('f' - i)); }  // not in order of ids

  std::string text_of(const std::string& file) const {
    std::ostringstream text;
    text << std::ifstream(root_.path() / file).rdbuf();
    return text.str();
  }

  const TemporaryFolder root_;
};

}  // namespace

TEST_F(Merge, JoinsShardsIntoARunThatHoldsUpToVerify) {
  for (int i = 0; i < 3; ++i) make_shard({i, 3}, 6);
  const MergeReport report = merge_shards(root_.path());
  EXPECT_EQ(report.code(), ExitCode::ok);
  EXPECT_EQ(report.done, 6u);
  const VerifyReport verified = compare({root_.path(), {}});
  EXPECT_EQ(verified.files, 6u);
  EXPECT_TRUE(verified.differences.empty());
}

TEST_F(Merge, ResultsStandInTheOrderOfTheInput) {
  for (int i = 0; i < 2; ++i) make_shard({i, 2}, 6);
  merge_shards(root_.path());
  std::istringstream lines(text_of("results.jsonl"));
  std::string order;
  for (std::string line; std::getline(lines, line);) order += line.at(line.find(R"("id":")") + 6);
  EXPECT_EQ(order, "fedcba");
}

TEST_F(Merge, SaysWhatIsMissingAndBringsItTheNextTime) {
  make_shard({0, 2}, 6);
  make_shard({1, 2}, 1);
  const MergeReport first = merge_shards(root_.path());
  EXPECT_EQ(first.code(), ExitCode::stopped_early);
  EXPECT_EQ(first.done, 4u);
  EXPECT_THAT(first.notes, testing::ElementsAre(HasSubstr("2 of 3 items are not made yet; --shard 1/2")));
  make_shard({1, 2}, 6);
  EXPECT_EQ(merge_shards(root_.path()).code(), ExitCode::ok);
}

TEST_F(Merge, AShardWithoutAFolderIsMissed) {
  make_shard({0, 2}, 6);
  EXPECT_EQ(merge_shards(root_.path()).code(), ExitCode::stopped_early);
}

TEST_F(Merge, AnItemWhoseFileIsGoneIsLeftToBeMadeAgain) {
  for (int i = 0; i < 2; ++i) make_shard({i, 2}, 6);
  fs::remove(folder_of({0, 2}) / RunPaths::picture(name(2)));
  const MergeReport report = merge_shards(root_.path());
  EXPECT_EQ(report.done, 5u);
  EXPECT_EQ(report.code(), ExitCode::stopped_early);
  EXPECT_THAT(report.notes, testing::ElementsAre(HasSubstr("lacks the files of 1 items")));
}

TEST_F(Merge, ARestOfTheRunMadeWithoutShardsIsKept) {
  make_shard({0, 2}, 6);
  make_shard({1, 2}, 0);
  merge_shards(root_.path());
  ItemRecord record;
  record.id = name(1);
  record.ok = true;
  std::ofstream(root_.path() / "journal.jsonl", std::ios::app) << to_text(JournalLine(record));
  EXPECT_EQ(merge_shards(root_.path()).done, 4u);
}

TEST_F(Merge, RefusesShardsOfAnotherRun) {
  make_shard({0, 2}, 6);
  make_shard({1, 2}, 6, "another");
  EXPECT_THAT(error_of([&] { merge_shards(root_.path()); }).what(), HasSubstr("is of another run"));
}

TEST_F(Merge, RefusesShardsOfTwoCounts) {
  make_shard({0, 2}, 6);
  make_shard({0, 3}, 6);
  EXPECT_EQ(error_of([&] { merge_shards(root_.path()); }).code(), ExitCode::config);
}

TEST_F(Merge, RefusesAShardThatAJobWorksOn) {
  make_shard({0, 1}, 6);
  const LockFile lock(folder_of({0, 1}) / "lock");
  EXPECT_EQ(error_of([&] { merge_shards(root_.path()); }).code(), ExitCode::cannot_create);
}

TEST_F(Merge, AFolderWithoutShardsIsNamed) {
  const Error error = error_of([&] { merge_shards(root_.path()); });
  EXPECT_EQ(error.code(), ExitCode::input_missing);
  EXPECT_THAT(error.what(), HasSubstr("--shard"));
}

}  // namespace trireme
