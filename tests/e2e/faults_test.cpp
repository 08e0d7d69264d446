// What goes wrong is named, ends in a documented code, hangs nothing and loses nothing.

#include <csignal>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

class Faults : public JobTest {};

}  // namespace

TEST_F(Faults, AFailedItemFailsAlone) {
  prepare("one\nfail two\nthree\n");
  const Ended ended = run(worker(2, "run"));
  EXPECT_EQ(ended.code, 3) << ended.output;
  EXPECT_EQ(pictures("run"), 2u);
  EXPECT_NE(text_of(folder("run") / "results.jsonl").find("the prompt asks to fail"), std::string::npos);
}

TEST_F(Faults, AnErrorNamesRankAndHostAndEndsTheJob) {
  prepare("one cost=0.2\ntwo cost=0.2\nthree throw\nfour cost=5\n", "dispatch: {policy: round_robin}\n");
  const Ended ended = run(worker(4, "run"), 20);
  EXPECT_EQ(ended.code, 70) << ended.output;
  EXPECT_LT(ended.seconds, 15);
  EXPECT_NE(ended.output.find("asks for an error"), std::string::npos) << ended.output;
  EXPECT_NE(ended.output.find("rank=2"), std::string::npos) << ended.output;
  EXPECT_NE(ended.output.find("host="), std::string::npos) << ended.output;
}

TEST_F(Faults, APoisonPromptIsFailedAfterItKilledTwoRanksAlone) {
  prepare("a cost=0.05\nb cost=0.05\npoison crash=9\nc cost=0.05\nd cost=0.05\ne cost=0.05\n");
  const Ended ended = run(launcher(2, "run", {"--restarts", "8"}), 120);
  EXPECT_EQ(ended.code, 3) << ended.output;
  EXPECT_EQ(pictures("run"), 5u) << ended.output;
  const std::string lines = text_of(folder("run") / "results.jsonl");
  EXPECT_NE(lines.find("\"failed\""), std::string::npos);
}

TEST_F(Faults, AHangingLayerEndsByTheWatchdogAndNamesItsRank) {
  prepare("one\ntwo hang\nthree\n", "dispatch: {policy: round_robin}\nlimits: {stall_timeout_seconds: 2}\n");
  const Ended ended = run(worker(3, "run"), 40);
  EXPECT_EQ(ended.code, 75) << ended.output;
  EXPECT_LT(ended.seconds, 20);
  EXPECT_NE(ended.output.find("no progress"), std::string::npos) << ended.output;
  EXPECT_NE(ended.output.find("rank=1"), std::string::npos) << ended.output;
}

TEST_F(Faults, AHangThatComesBackFailsItsItemAndNoOther) {
  prepare("hang\ntwo\nthree\nfour\nfive\n", "limits: {stall_timeout_seconds: 2}\n");
  const Ended ended = run(launcher(2, "run", {"--restarts", "5"}), 120);
  EXPECT_EQ(ended.code, 3) << ended.output;
  EXPECT_EQ(pictures("run"), 4u) << ended.output;
  EXPECT_NE(text_of(folder("run") / "results.jsonl").find("died 2 times"), std::string::npos);
}

TEST_F(Faults, AStoppedRankIsNoticedByTheOthers) {
  prepare("one cost=1\ntwo cost=30\nthree cost=1\n", "limits: {stall_timeout_seconds: 3}\n");
  for (int victim : {1, 0}) {
    const std::string name = "victim" + std::to_string(victim);
    Process job = start(worker(2, name));
    ASSERT_TRUE(eventually([&] { return pid_of_rank(name, victim) > 0 && pid_of_rank(name, 1 - victim) > 0; }));
    ASSERT_TRUE(eventually([&] { return pictures(name) >= 1; }));
    const pid_t stopped = pid_of_rank(name, victim);
    ASSERT_EQ(kill(stopped, SIGSTOP), 0);
    const Ended ended = job.wait(40);
    EXPECT_EQ(ended.code, 75) << ended.output;
    EXPECT_NE(ended.output.find("rank " + std::to_string(victim) + " has been silent"), std::string::npos)
        << ended.output;
    EXPECT_TRUE(eventually([&] { return kill(stopped, 0) != 0; }, 10)) << "nothing is left behind";
  }
}

TEST_F(Faults, OneJobARunDirectory) {
  prepare("one cost=3\ntwo cost=3\n");
  Process first = start(worker(1, "run"));
  ASSERT_TRUE(eventually([&] { return pid_of_rank("run", 0) > 0; }));
  Process second(worker(1, "run"), {}, root_ / "second.txt");
  const Ended refused = second.wait(30);
  EXPECT_EQ(refused.code, 73) << refused.output;
  EXPECT_NE(refused.output.find(std::to_string(pid_of_rank("run", 0))), std::string::npos) << refused.output;
  EXPECT_EQ(first.wait(30).code, 0);
}

TEST_F(Faults, AnotherRunInTheFolderIsRefused) {
  prepare("one\n");
  ASSERT_EQ(run(worker(1, "run")).code, 0);
  const Ended refused = run(worker(1, "run", {"--set", "sampling.seed=1"}));
  EXPECT_EQ(refused.code, 78) << refused.output;
  EXPECT_EQ(pictures("run"), 1u);
}

TEST_F(Faults, NSingletonsAreRefusedWithTheRightCommand) {
  prepare("one\n");
  Process job(worker(1, "run"),
              {{"SLURM_STEP_ID", "0"}, {"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "2"}, {"SLURM_PROCID", "1"}},
              root_ / "output.txt");
  const Ended ended = job.wait(30);
  EXPECT_EQ(ended.code, 78) << ended.output;
  EXPECT_NE(ended.output.find("--mpi=pmix"), std::string::npos) << ended.output;
}

TEST_F(Faults, ClosedStreamsPutNothingIntoTheJournal) {
  prepare("one\ntwo\n");
  for (const char* closed : {"<&- >&- 2>&-", ">&- 2>&-"}) {
    std::vector<std::string> words = {"/bin/sh", "-c", std::string("exec \"$@\" ") + closed, "sh"};
    for (const std::string& word : worker(1, "run", {"--fresh"})) words.push_back(word);
    EXPECT_EQ(run(words).code, 0);
    const Ended verified = run({TRIREME_LAUNCHER, "verify", folder("run").string()});
    EXPECT_EQ(verified.code, 0) << closed << ": " << verified.output;
  }
}

TEST_F(Faults, AFileBeyondTheUsersLimitIsAFullDisk) {
  prepare("one\n");
  std::vector<std::string> words = {"/bin/sh", "-c", "ulimit -f 4; exec \"$@\"", "sh"};
  for (const std::string& word : worker(1, "run", {"--set", "sampling.width=256", "--set", "sampling.height=256"})) {
    words.push_back(word);
  }
  const Ended ended = run(words);
  EXPECT_EQ(ended.code, 74) << ended.output;
  EXPECT_NE(ended.output.find("file too large; free some space"), std::string::npos) << ended.output;
}

}  // namespace trireme::e2e
