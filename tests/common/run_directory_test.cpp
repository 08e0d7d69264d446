#include "common/run_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <fstream>

#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kMuch = 1 << 20;

RunSettings settings_for(const fs::path& directory) {
  RunSettings settings;
  settings.directory = directory;
  settings.run_id = "run";
  settings.start = {0, 2, 1, 4, {{"device", "cpu"}}};
  return settings;
}

/// Writes the picture and its journal line, as the writers and the coordinator do.
ItemRecord make(const RunPaths& paths, const std::string& id) {
  const std::string bytes = "picture of " + id;
  write_file(paths.root / RunPaths::picture(id), bytes);
  ItemRecord item;
  item.id = id;
  item.ok = true;
  item.picture = {RunPaths::picture(id), "hash", bytes.size()};
  return item;
}

std::vector<std::string> finished(const RunDirectory& run) {
  std::vector<std::string> ids;
  for (const auto& [id, item] : run.finished()) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<std::string> suspects(const RunDirectory& run) {
  std::vector<std::string> ids;
  for (const Suspect& suspect : run.suspects()) ids.push_back(suspect.ids.at(0) + ":" + std::to_string(suspect.blames));
  return ids;
}

void write_rank_log(const RunPaths& paths, int rank, int launch, const char* word) {
  const std::string number = std::to_string(launch);
  std::string text = "\n=== start launch=" + number + " rank=" + std::to_string(rank) + " host=h pid=1\n";
  if (word) text += "\n=== end launch=" + number + " " + word + "\n";
  write_file(paths.rank_log(rank), text);
}

}  // namespace

TEST(RunDirectory, IsMadeWithParentsAndResumes) {
  const TemporaryFolder folder;
  const RunSettings settings = settings_for(folder / "runs/first");
  {
    RunDirectory run(settings);
    EXPECT_EQ(run.launch(), 1);
    EXPECT_THAT(finished(run), IsEmpty());
    EXPECT_EQ(run.paths().rank_log(3), folder / "runs/first/rank-00003.log");
    run.journal().sent({0, {"a"}, 1, 0, false});
    run.journal().item(make(run.paths(), "a"));
    run.journal().finish(ExitCode::stopped_early);
  }
  RunDirectory again(settings);
  EXPECT_EQ(again.launch(), 2);
  EXPECT_THAT(finished(again), ElementsAre("a"));
  EXPECT_THAT(suspects(again), IsEmpty());
}

TEST(RunDirectory, ASecondJobIsRefusedWhileOneIsThere) {
  const TemporaryFolder folder;
  const RunDirectory run(settings_for(folder.path()));
  RunSettings fresh = settings_for(folder.path());
  fresh.fresh = true;
  EXPECT_EQ(error_of([&] { RunDirectory second(fresh); }).code(), ExitCode::cannot_create);
  EXPECT_TRUE(fs::exists(run.paths().journal()));
}

TEST(RunDirectory, OfAnotherRunIsRefusedAndLeftAsItIs) {
  const TemporaryFolder folder;
  { RunDirectory(settings_for(folder.path())).journal().finish(ExitCode::ok); }
  const std::string before = read_file(folder / "journal.jsonl", kMuch);
  RunSettings other = settings_for(folder.path());
  other.run_id = "other";
  const Error error = error_of([&] { RunDirectory run(other); });
  EXPECT_EQ(error.code(), ExitCode::config);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("run id run, this job is other"), HasSubstr("--fresh")));
  EXPECT_EQ(read_file(folder / "journal.jsonl", kMuch), before);
  EXPECT_FALSE(fs::exists(folder / "lock"));

  other.fresh = true;
  EXPECT_EQ(RunDirectory(other).launch(), 1);
}

TEST(RunDirectory, FreshRemovesWhatTheRunWroteAndNothingElse) {
  const TemporaryFolder folder;
  {
    RunDirectory run(settings_for(folder.path()));
    run.journal().sent({0, {"a"}, 1, 0, false});
    run.journal().item(make(run.paths(), "a"));
    run.journal().sent({1, {"b"}, 1, 0, false});
    make(run.paths(), "b");  // a crash between file and journal line
  }
  for (const char* name : {"results.jsonl", "summary.json", "status.json", "trace.json", "timeline.svg", "job.yaml",
                           "monitor.jsonl", "report.html", "report.md", "rank-00000.log", "notes.txt", "rank-notes.log",
                           "images/holiday.png", "images/.c.png.17.tmp"}) {
    write_file(folder / name, "x");
  }
  RunSettings fresh = settings_for(folder.path());
  fresh.fresh = true;
  {
    RunDirectory run(fresh);
    EXPECT_EQ(run.launch(), 1);
    EXPECT_THAT(finished(run), IsEmpty());
  }
  std::vector<std::string> left;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    if (entry.is_regular_file()) left.push_back(fs::relative(entry.path(), folder.path()));
  }
  EXPECT_THAT(left,
              testing::UnorderedElementsAre("journal.jsonl", "notes.txt", "rank-notes.log", "images/holiday.png"));
}

TEST(RunDirectory, FreshNeverFollowsAJournalOutOfTheFolder) {
  const TemporaryFolder folder;
  write_file(folder / "precious.png", "x");
  create_folder(folder / "run/images");
  ItemRecord evil;
  evil.id = "../../precious";
  write_file(folder / "run/journal.jsonl", header_text("run") + to_text(evil));
  RunSettings fresh = settings_for(folder / "run");
  fresh.fresh = true;
  RunDirectory run(fresh);
  EXPECT_TRUE(fs::exists(folder / "precious.png"));
}

TEST(RunDirectory, FreshKeepsAJournalOfAnotherProgram) {
  const TemporaryFolder folder;
  write_file(folder / "journal.jsonl", "{\"mine\":1}\n");
  RunSettings fresh = settings_for(folder.path());
  fresh.fresh = true;
  EXPECT_EQ(error_of([&] { RunDirectory run(fresh); }).code(), ExitCode::config);
  EXPECT_EQ(read_file(folder / "journal.jsonl", kMuch), "{\"mine\":1}\n");
}

TEST(RunDirectory, MakesItemsAgainWhoseFilesAreGoneOrCutShort) {
  const TemporaryFolder folder;
  {
    RunDirectory run(settings_for(folder.path()));
    for (const char* id : {"a", "b", "c"}) run.journal().item(make(run.paths(), id));
    ItemRecord failed;
    failed.id = "d";
    failed.error = "no";
    run.journal().item(failed);
    run.journal().finish(ExitCode::some_items_failed);
  }
  fs::remove(folder / "images/a.png");
  fs::resize_file(folder / "images/b.png", 3);
  EXPECT_THAT(finished(RunDirectory(settings_for(folder.path()))), ElementsAre("c", "d"));

  RunSettings with_tensors = settings_for(folder.path());
  with_tensors.tensors = true;
  EXPECT_THAT(finished(RunDirectory(with_tensors)), ElementsAre("d"));
  RunSettings no_files = settings_for(folder.path());
  no_files.pictures = false;
  EXPECT_THAT(finished(RunDirectory(no_files)), ElementsAre("a", "b", "c", "d"));
}

TEST(RunDirectory, AUnitThatKilledItsRankTwiceIsFailedAndTheOthersGoOn) {
  const TemporaryFolder folder;
  const RunSettings settings = settings_for(folder.path());
  const auto crash = [&](int launch) {  // rank 1 dies with unit 1, rank 0 is told to end
    RunDirectory run(settings);
    ASSERT_EQ(run.launch(), launch);
    run.journal().sent({0, {"a"}, 1, 0, false});
    run.journal().sent({1, {"poison"}, 1, 1, true});
    write_rank_log(run.paths(), 0, launch, "stopped");
    write_rank_log(run.paths(), 1, launch, nullptr);
  };
  crash(1);
  EXPECT_THAT(suspects(RunDirectory(settings)), ElementsAre("poison:1"));  // launch 2: hands nothing out and ends
  crash(3);
  RunDirectory run(settings);
  EXPECT_THAT(suspects(run), IsEmpty());
  EXPECT_THAT(finished(run), ElementsAre("poison"));
  EXPECT_THAT(run.finished().at("poison").error, HasSubstr("the rank that ran it died 2 times"));
  EXPECT_FALSE(run.finished().at("poison").ok);
}

// What a crash at any moment leaves: the journal cut anywhere. Expected is counted from the lines that are whole.
TEST(RunDirectory, ResumesRightWhereverTheJournalIsCut) {
  const TemporaryFolder folder;
  const RunSettings settings = settings_for(folder / "run");
  const RunPaths paths{settings.directory};
  create_folder(paths.images());
  ItemRecord failed;
  failed.id = "b";
  failed.error = "no";
  const std::vector<JournalLine> lines = {StartLine{1, 2, 1, 4, {}},       SentLine{0, {"a"}, 1, 0, false},
                                          SentLine{1, {"b"}, 1, 1, false}, make(paths, "a"),
                                          SentLine{2, {"c"}, 1, 0, false}, failed,
                                          SentLine{3, {"d"}, 1, 1, false}, make(paths, "c")};
  write_rank_log(paths, 0, 1, "stopped");
  write_rank_log(paths, 1, 1, nullptr);
  std::string text = header_text("run");
  std::vector<std::size_t> ends = {text.size()};
  for (const JournalLine& line : lines) {
    text += to_text(line);
    ends.push_back(text.size());
  }
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    SCOPED_TRACE(cut);
    { std::ofstream(paths.journal(), std::ios::binary) << text.substr(0, cut); }
    const auto whole = [&](std::size_t line) { return cut >= ends[line]; };
    std::vector<std::string> expected_finished, expected_suspects;
    if (whole(4)) expected_finished.push_back("a");
    if (whole(6)) expected_finished.push_back("b");
    if (whole(8)) expected_finished.push_back("c");
    if (whole(3) && !whole(6)) expected_suspects.push_back("b:1");
    if (whole(7)) expected_suspects.push_back("d:1");

    {
      RunDirectory run(settings);
      ASSERT_EQ(run.launch(), whole(1) ? 2 : 1);
      ASSERT_EQ(finished(run), expected_finished);
      ASSERT_EQ(suspects(run), expected_suspects);
    }
    RunDirectory again(settings);  // the resume left a journal that reads well and says the same
    ASSERT_EQ(again.launch(), whole(1) ? 3 : 2);
    ASSERT_EQ(finished(again), expected_finished);
    ASSERT_EQ(suspects(again), expected_suspects);
  }
}

TEST(RunDirectory, MakesAgainOnlyWhatADamagedLineStoodFor) {
  const TemporaryFolder folder;
  const RunSettings settings = settings_for(folder / "run");
  const RunPaths paths{settings.directory};
  create_folder(paths.images());
  const std::vector<JournalLine> lines = {StartLine{1, 1, 1, 4, {}}, SentLine{0, {"a"}, 1, 0, false},
                                          make(paths, "a"),          SentLine{1, {"b"}, 1, 0, false},
                                          make(paths, "b"),          EndLine{1, 0}};
  for (std::size_t damaged = 0; damaged < lines.size(); ++damaged) {
    SCOPED_TRACE(damaged);
    std::string text = header_text("run");
    for (std::size_t i = 0; i < lines.size(); ++i) text += i == damaged ? "{\x01\xff\n" : to_text(lines[i]);
    { std::ofstream(paths.journal(), std::ios::binary) << text; }
    for (int job = 0; job < 2; ++job) {  // the second reads what the first left
      const RunDirectory run(settings);
      std::vector<std::string> expected = {"a", "b"};
      if (damaged == 2) expected = {"b"};
      if (damaged == 4) expected = {"a"};
      EXPECT_EQ(finished(run), expected);
    }
  }
}

TEST(RunDirectory, ThatCantBeMadeIsNamed) {
  const TemporaryFolder folder;
  write_file(folder / "file", "");
  EXPECT_EQ(error_of([&] { RunDirectory run(settings_for(folder / "file")); }).code(), ExitCode::cannot_create);
  EXPECT_EQ(error_of([&] { RunDirectory run(settings_for("/proc/run")); }).code(), ExitCode::cannot_create);
}

TEST(RunDirectory, AsksForTheSpaceThatTheResultsNeed) {
  const TemporaryFolder folder;
  require_free_space(folder.path(), 1);
  const Error error = error_of([&] { require_free_space(folder.path(), 1ull << 62); });
  EXPECT_EQ(error.code(), ExitCode::io_error);
  EXPECT_THAT(error.what(), HasSubstr("4398046511104 MiB; free some space"));
}

}  // namespace trireme
