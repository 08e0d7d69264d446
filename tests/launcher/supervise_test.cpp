#include "launcher/supervise.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "common/errors.h"

namespace trireme {
namespace {

LaunchLine shell(const std::string& script) { return {{"/bin/sh", "-c", script}, {{"TRIREME_TEST", "yes"}}}; }

/// Runs in a child process of its own, so that signals reach no test but this one.
int supervised_with_signal(const std::string& script, std::initializer_list<int> signals) {
  const pid_t pid = fork();
  if (pid == 0) {
    const Outcome outcome = supervise(shell(script));
    _exit(outcome.code == 0 ? (outcome.asked_to_stop ? 100 : 101) : outcome.code);
  }
  for (int s : signals) {
    std::this_thread::sleep_for(std::chrono::milliseconds(700));  // the script must have set its traps
    kill(pid, s);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST(Supervise, GivesTheChildsCodeAndEnvironment) {
  EXPECT_EQ(supervise(shell("exit 65")).code, 65);
  EXPECT_EQ(supervise(shell("test \"$TRIREME_TEST\" = yes")).code, 0);
  EXPECT_EQ(supervise(shell("kill -9 $$")).code, 137);
}

TEST(Supervise, AMissingProgramIsUnavailable) { EXPECT_THROW(supervise({{"no-such-program-anywhere"}, {}}), Error); }

TEST(Supervise, InterruptAndUsr1BecomeARequestToDrain) {
  const std::string drains = "trap 'exit 75' USR1; while :; do sleep 0.05; done";
  EXPECT_EQ(supervised_with_signal(drains, {SIGUSR1}), 75);
  EXPECT_EQ(supervised_with_signal(drains, {SIGINT}), 75);
}

TEST(Supervise, TheSecondInterruptStopsAtOnce) {
  EXPECT_EQ(supervised_with_signal("trap '' USR1; trap 'exit 9' TERM; while :; do sleep 0.05; done", {SIGINT, SIGINT}),
            9);
  EXPECT_EQ(supervised_with_signal("trap 'exit 9' TERM; while :; do sleep 0.05; done", {SIGTERM}), 9);
}

TEST(Supervise, AKilledSupervisorLeavesNoJobBehind) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t supervisor = fork();
  if (supervisor == 0) {
    close(ends[0]);
    supervise(shell("echo started >&" + std::to_string(ends[1]) + "; exec sleep 60"));
    _exit(0);
  }
  close(ends[1]);
  char text[16];
  ASSERT_GT(read(ends[0], text, sizeof text), 0);
  kill(supervisor, SIGKILL);
  waitpid(supervisor, nullptr, 0);
  pollfd closed{ends[0], POLLIN, 0};
  EXPECT_EQ(poll(&closed, 1, 10'000), 1) << "the job still holds the other end";
  close(ends[0]);
}

}  // namespace trireme
