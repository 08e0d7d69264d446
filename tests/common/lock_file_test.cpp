#include "common/lock_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/errors.h"
#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

using testing::AllOf;
using testing::HasSubstr;

LockHolder on_host(const std::string& host) {
  LockHolder holder = this_process();
  holder.host = host;
  holder.job = "4711";
  return holder;
}

/// A lock left by a process that is gone: it makes one and ends without giving it up.
void leave_lock(const std::filesystem::path& file) {
  const pid_t child = ::fork();
  if (child == 0) {
    new LockFile(file);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
}

}  // namespace

TEST(LockFile, RefusesASecondJobAndNamesTheHolder) {
  const TemporaryFolder folder;
  const LockFile lock(folder / "lock");
  const Error error = error_of([&] { LockFile second(folder / "lock"); });
  EXPECT_EQ(error.code(), ExitCode::cannot_create);
  EXPECT_THAT(error.what(),
              AllOf(HasSubstr(folder.path().string() + " is in use by pid " + std::to_string(::getpid()) + " on "),
                    HasSubstr("choose another output.directory")));
}

TEST(LockFile, IsGoneWhenItsJobEnds) {
  const TemporaryFolder folder;
  { const LockFile lock(folder / "lock"); }
  EXPECT_FALSE(std::filesystem::exists(folder / "lock"));
  const LockFile again(folder / "lock");
}

TEST(LockFile, OfADeadProcessIsTakenOver) {
  const TemporaryFolder folder;
  leave_lock(folder / "lock");
  ASSERT_TRUE(std::filesystem::exists(folder / "lock"));
  const LockFile lock(folder / "lock");
  EXPECT_THAT(read_file(folder / "lock", 4096), HasSubstr("\"pid\":" + std::to_string(::getpid()) + ","));
  EXPECT_EQ(error_of([&] { LockFile second(folder / "lock"); }).code(), ExitCode::cannot_create);
}

TEST(LockFile, OfAnotherHostIsRefusedWithTheRemedy) {
  const TemporaryFolder folder;
  const LockFile lock(folder / "lock", on_host("elsewhere"));
  const Error error = error_of([&] { LockFile second(folder / "lock"); });
  EXPECT_EQ(error.code(), ExitCode::cannot_create);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("on elsewhere, job 4711, since "),
                                  HasSubstr("if that job is gone, remove " + (folder / "lock").string())));
}

TEST(LockFile, ThatNamesNobodyIsRefusedWithTheRemedy) {
  const TemporaryFolder folder;
  for (const char* text : {"", "{\"host\":\"h", "[]", "{\"pid\":-1}"}) {
    write_file(folder / "lock", text);
    EXPECT_THAT(error_of([&] { LockFile lock(folder / "lock"); }).what(),
                HasSubstr("remove " + (folder / "lock").string()));
  }
}

TEST(LockFile, NeverRemovesTheLockOfAnotherJob) {
  const TemporaryFolder folder;
  {
    const LockFile lock(folder / "lock");
    std::filesystem::remove(folder / "lock");
    write_file(folder / "lock", "of another job");
  }
  EXPECT_EQ(read_file(folder / "lock", 99), "of another job");
}

TEST(LockFile, InAFolderThatCantBeWrittenNamesTheFolder) {
  const Error error = error_of([&] { LockFile lock("/proc/lock"); });
  EXPECT_EQ(error.code(), ExitCode::cannot_create);
  EXPECT_THAT(error.what(), HasSubstr("can't write to /proc: "));
}

TEST(LockFile, JudgesByProcessBootNamespaceAndSlurmLife) {
  const LockHolder self = this_process();
  const auto alive = [&](std::int64_t) { return std::optional(self.start_ticks); };
  const auto gone = [](std::int64_t) { return std::optional<std::uint64_t>(); };
  const auto other_process = [&](std::int64_t) { return std::optional(self.start_ticks + 1); };
  EXPECT_EQ(judge(self, self, alive), LockState::held);
  EXPECT_EQ(judge(self, self, gone), LockState::stale);
  EXPECT_EQ(judge(self, self, other_process), LockState::stale);

  LockHolder holder = self;
  holder.boot = "before";
  EXPECT_EQ(judge(holder, self, alive), LockState::stale);
  holder = self;
  holder.pid_namespace = "pid:[1]";
  EXPECT_EQ(judge(holder, self, gone), LockState::unknown);
  holder = on_host("elsewhere");
  EXPECT_EQ(judge(holder, self, gone), LockState::unknown);

  LockHolder requeued = self;
  requeued.job = "4711";
  requeued.restart = "1";
  EXPECT_EQ(judge(holder, requeued, alive), LockState::stale);
  requeued.job = "4712";
  EXPECT_EQ(judge(holder, requeued, alive), LockState::unknown);
}

TEST(LockFile, KnowsWhenThisProcessStarted) { EXPECT_GT(this_process().start_ticks, 0u); }

}  // namespace trireme
