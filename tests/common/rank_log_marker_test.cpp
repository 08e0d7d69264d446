#include "common/rank_log_marker.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "common/files.h"
#include "common/lock_file.h"
#include "tests/common/temporary_folder.h"

namespace trireme::rank_log {
namespace {

/// Runs `action` as rank 3 of launch 7 in a process of its own; returns how the process ended.
int in_a_rank(const TemporaryFolder& folder, const std::function<void()>& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    LockFile* lock = new LockFile(folder / "lock");
    begin(folder / "rank.log", 3, 7, lock);
    action();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

}  // namespace

TEST(RankLogMarker, ARankThatIsKilledLeavesNoEndLine) {
  const TemporaryFolder folder;
  const int status = in_a_rank(folder, [] { ::raise(SIGKILL); });
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_EQ(last_word(folder / "rank.log", 7), LastWord::unmarked);
  EXPECT_TRUE(std::filesystem::exists(folder / "lock"));
}

TEST(RankLogMarker, ARankThatCrashesLeavesNoEndLine) {
  const TemporaryFolder folder;
  const int status = in_a_rank(folder, [] {
    ::signal(SIGSEGV, SIG_DFL);  // sanitizers have a handler
    ::raise(SIGSEGV);
  });
  EXPECT_EQ(WTERMSIG(status), SIGSEGV);
  EXPECT_EQ(last_word(folder / "rank.log", 7), LastWord::unmarked);
}

TEST(RankLogMarker, ARankThatIsToldToEndSaysSoAndDiesOfTheSignal) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    const TemporaryFolder folder;
    const int status = in_a_rank(folder, [&] { ::raise(signal); });
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), signal);
    EXPECT_EQ(last_word(folder / "rank.log", 7), LastWord::stopped);
    EXPECT_FALSE(std::filesystem::exists(folder / "lock"));
  }
}

TEST(RankLogMarker, OnlyTheFirstEndCounts) {
  const TemporaryFolder folder;
  in_a_rank(folder, [] {
    end(Ending::died);
    end(Ending::finished);
  });
  EXPECT_EQ(last_word(folder / "rank.log", 7), LastWord::died);
  EXPECT_FALSE(std::filesystem::exists(folder / "lock"));
}

TEST(RankLogMarker, AHandlerThatWasThereStays) {
  const TemporaryFolder folder;
  ::signal(SIGTERM, SIG_IGN);
  const int status = in_a_rank(folder, [] {
    ::raise(SIGTERM);
    end(Ending::finished);
  });
  ::signal(SIGTERM, SIG_DFL);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(last_word(folder / "rank.log", 7), LastWord::finished);
}

TEST(RankLogMarker, LinesOfTheLogAndOtherLaunchesDoNotConfuseIt) {
  const TemporaryFolder folder;
  write_file(
      folder / "rank.log",
      "\n=== start launch=1 rank=3 host=a pid=1\n2024-01-01T00:00:00Z info x\n\n=== end launch=1 stopped\n"
      "\n=== start launch=12 rank=3 host=a pid=1\n2024-01-01T00:00:00Z info half a li\n=== end launch=12 finished\n"
      "\n=== start launch=13 rank=3 host=a pid=1\n2024 info === end launch=13 finished\n");
  EXPECT_EQ(last_word(folder / "rank.log", 1), LastWord::stopped);
  EXPECT_EQ(last_word(folder / "rank.log", 2), LastWord::absent);
  EXPECT_EQ(last_word(folder / "rank.log", 12), LastWord::finished);
  EXPECT_EQ(last_word(folder / "rank.log", 13), LastWord::unmarked);
  EXPECT_EQ(last_word(folder / "none.log", 1), LastWord::absent);
}

TEST(RankLogMarker, AnErrorOfTheRankItselfBlamesItAndAFullDiskDoesNot) {
  EXPECT_EQ(ending_of(ExitCode::internal), Ending::died);
  EXPECT_EQ(ending_of(ExitCode::io_error), Ending::stopped);
  EXPECT_EQ(ending_of(ExitCode::unavailable), Ending::stopped);
  EXPECT_EQ(ending_of(ExitCode::stopped_early), Ending::stopped);
}

}  // namespace trireme::rank_log
