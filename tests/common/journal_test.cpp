#include "common/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr Journal::Settings kNeverByItself{24h, 1'000'000};

ItemRecord item(const std::string& id) {
  ItemRecord record;
  record.id = id;
  record.ok = true;
  record.picture = {"images/" + id + ".png", std::string(64, 'a'), 1234};
  record.seed = 18446744073709551615u;
  record.width = record.height = 64;
  record.seconds = 1.5;
  record.finished_seconds = 7.25;
  record.replica = 1;
  return record;
}

std::string text_of(const std::filesystem::path& file) { return read_file(file, 1 << 20); }

std::vector<std::string> lines_again(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  read_journal(file, [&](const JournalLine& line) { lines.push_back(to_text(line)); });
  return lines;
}

}  // namespace

TEST(JournalLines, ReadBackAsTheyWereWritten) {
  ItemRecord failed;
  failed.id = "b";
  failed.error = "a \"quoted\"\nreason";
  failed.degraded = true;
  ItemRecord text = item("c");
  text.picture = {};
  text.tensors = {"tensors/c.safetensors", std::string(64, 'b'), 99};
  text.text = TextResult{"a \"cat\"\n", {5, 151645}, FinishReason::length, 12, 0.25, 0.5};
  const std::vector<JournalLine> lines = {
      StartLine{3, 8, 2, 100, {{"torch", "2.11.0"}, {"device", "cpu"}}},
      SentLine{7, {"a", "b"}, 2, 1, true},
      ReturnedLine{7},
      item("a"),
      failed,
      text,
      SuspectLine{7, {"a", "b"}, 3, true, 1},
      EndLine{3, 75},
  };
  const TemporaryFolder folder;
  std::string written = header_text("run");
  std::vector<std::string> texts;
  for (const JournalLine& line : lines) {
    texts.push_back(to_text(line));
    written += texts.back();
  }
  write_file(folder / "j", written);
  EXPECT_EQ(lines_again(folder / "j"), texts);
  EXPECT_THAT(texts[5], AllOf(HasSubstr("\"token_ids\":[5,151645],\"finish_reason\":\"length\""),
                              HasSubstr("\"tokens_per_second\":2.0")));
  EXPECT_THAT(texts[3], HasSubstr("\"seed\":18446744073709551615"));
  EXPECT_THAT(texts[4], AllOf(HasSubstr("\"status\":\"failed\""), HasSubstr("\"degraded\":true")));
}

TEST(JournalLines, BytesThatAreNotUtf8DoNotBreakTheLine) {
  ItemRecord failed;
  failed.id = "a";
  failed.error = "what \xff is this";
  EXPECT_THAT(to_text(failed), HasSubstr("what \xEF\xBF\xBD is this"));
}

TEST(JournalLines, ADamagedLastLineIsDroppedAndAnEarlierOneIsSkippedAndNamed) {
  const TemporaryFolder folder;
  const std::string good = header_text("run") + to_text(item("a"));
  write_file(folder / "j", good + "{\"type\":\"item\"," + std::string(3, '\0') + "\n");
  const JournalFile read = read_journal(folder / "j", [](const JournalLine&) {});
  EXPECT_EQ(read.run_id, "run");
  EXPECT_EQ(read.bytes, good.size());
  EXPECT_TRUE(read.torn);

  for (const char* damage : {"\x01\x02\n", "{\"type\":\"item\",\"id\":\"b\"}\n", "{\"type\":\"whatever\"}\n", "\n"}) {
    write_file(folder / "j", good + damage + to_text(item("b")));
    std::vector<std::string> lines;
    const JournalFile whole = read_journal(folder / "j", [&](const JournalLine& l) { lines.push_back(to_text(l)); });
    EXPECT_THAT(lines, testing::ElementsAre(to_text(item("a")), to_text(item("b"))));
    EXPECT_EQ(whole.damaged, 1u);
    EXPECT_FALSE(whole.torn);
    EXPECT_THAT(whole.first_damage, HasSubstr((folder / "j").string() + ":3"));
  }
}

TEST(JournalLines, AFileOfAnotherProgramIsRefused) {
  const TemporaryFolder folder;
  for (const char* first : {"{\"format\":\"trireme journal 2\",\"run_id\":\"x\"}\n", "hello\n", "{}\n"}) {
    write_file(folder / "j", first);
    EXPECT_EQ(error_of([&] { read_journal(folder / "j", [](const JournalLine&) {}); }).code(), ExitCode::config);
  }
}

TEST(Journal, WritesSentLinesAtOnceAndItemLinesTogether) {
  const TemporaryFolder folder;
  write_file(folder / "j", header_text("run"));
  Journal journal(folder / "j", 1, kNeverByItself);
  journal.item(item("a"));
  EXPECT_EQ(text_of(folder / "j"), header_text("run"));
  const SentLine sent{1, {"b"}, 1, 0, false};
  journal.sent(sent);
  EXPECT_EQ(text_of(folder / "j"), header_text("run") + to_text(item("a")) + to_text(sent));
  EXPECT_EQ(journal.durable(), 0u);
  journal.item(item("b"));
  journal.flush();
  EXPECT_EQ(journal.durable(), 2u);
  EXPECT_THAT(text_of(folder / "j"), testing::EndsWith(to_text(item("b"))));
}

TEST(Journal, CommitsByItselfAfterSoManyLines) {
  const TemporaryFolder folder;
  write_file(folder / "j", header_text("run"));
  Journal journal(folder / "j", 1, {24h, 64});
  for (int i = 0; i < 64; ++i) journal.item(item(std::to_string(i)));
  while (journal.durable() < 64) std::this_thread::yield();
  EXPECT_EQ(lines_again(folder / "j").size(), 64u);
}

TEST(Journal, CommitsByItselfAfterTheInterval) {
  const TemporaryFolder folder;
  write_file(folder / "j", header_text("run"));
  Journal journal(folder / "j", 1, {1ms, 1'000'000});
  journal.item(item("a"));
  while (journal.durable() < 1) std::this_thread::yield();
  EXPECT_EQ(lines_again(folder / "j").size(), 1u);
}

TEST(Journal, EndsWithTheCodeAndKeepsEverythingWhenItGoes) {
  const TemporaryFolder folder;
  write_file(folder / "j", header_text("run"));
  {
    Journal journal(folder / "j", 4, kNeverByItself);
    journal.item(item("a"));
    journal.finish(ExitCode::stopped_early);
    EXPECT_EQ(journal.durable(), 1u);
  }
  { Journal(folder / "j", 5, kNeverByItself).item(item("b")); }
  EXPECT_THAT(lines_again(folder / "j"),
              testing::ElementsAre(to_text(item("a")), to_text(EndLine{4, 75}), to_text(item("b"))));
}

TEST(Journal, SentLinesSurviveAKill) {
  const TemporaryFolder folder;
  write_file(folder / "j", header_text("run"));
  const SentLine sent{1, {"b"}, 1, 0, false};
  const pid_t child = ::fork();
  if (child == 0) {
    Journal journal(folder / "j", 1, kNeverByItself);
    journal.sent(sent);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_THAT(lines_again(folder / "j"), testing::ElementsAre(to_text(sent)));
}

TEST(Journal, AFullDiskIsThrownByTheNextCallsAndNothingHangs) {
  Journal journal("/dev/full", 1, {1ms, 1});
  journal.item(item("a"));
  EXPECT_EQ(error_of([&] { journal.flush(); }).code(), ExitCode::io_error);
  EXPECT_EQ(error_of([&] { journal.durable(); }).code(), ExitCode::io_error);
  EXPECT_EQ(error_of([&] { journal.item(item("b")); }).code(), ExitCode::io_error);
  EXPECT_EQ(error_of([&] { journal.finish(ExitCode::ok); }).code(), ExitCode::io_error);
}

TEST(Journal, AFullDiskIsThrownByTheSentLineItself) {
  Journal journal("/dev/full", 1, kNeverByItself);
  EXPECT_EQ(error_of([&] { journal.sent({1, {"a"}, 1, 0, false}); }).code(), ExitCode::io_error);
}

}  // namespace trireme
