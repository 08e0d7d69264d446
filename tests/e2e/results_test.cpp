// The same results whatever the ranks, the policy and the order; resumed, too.

#include <csignal>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

std::string prompts(int count, const std::string& words = "") {
  std::string text;
  for (int i = 0; i < count; ++i) text += "picture " + std::to_string(i) + " " + words + "\n";
  return text;
}

class Results : public JobTest {};

}  // namespace

TEST_F(Results, AreEqualForEveryRankCountAndPolicy) {
  prepare(prompts(11, "cost=0.01"));
  ASSERT_EQ(run(worker(1, "reference")).code, 0);
  EXPECT_EQ(pictures("reference"), 11u);
  for (const char* policy : {"static", "round_robin", "least_loaded", "weighted", "predictive"}) {
    for (int ranks : {2, 3, 4}) {
      const std::string name = std::string(policy) + std::to_string(ranks);
      const Ended ended = run(worker(ranks, name, {"--set", std::string("dispatch.policy=") + policy}));
      ASSERT_EQ(ended.code, 0) << name << "\n" << ended.output;
      const Ended verdict = verify("reference", name);
      EXPECT_EQ(verdict.code, 0) << name << "\n" << verdict.output;
      EXPECT_EQ(results(name), 11u);
    }
  }
}

TEST_F(Results, FewerPromptsThanRanksAndNoneAtAll) {
  for (int count : {0, 1, 2}) {
    prepare(prompts(count));
    const std::string name = "n" + std::to_string(count);
    const Ended ended = run(worker(4, name));
    EXPECT_EQ(ended.code, 0) << ended.output;
    EXPECT_EQ(results(name), static_cast<std::size_t>(count));
    EXPECT_EQ(pictures(name), static_cast<std::size_t>(count)) << "no padding, no duplicates";
  }
}

TEST_F(Results, AKilledJobResumesOnOtherRanksWithTheSameBits) {
  prepare(prompts(24, "cost=0.3"));
  ASSERT_EQ(run(worker(2, "whole")).code, 0);

  Process job = start(worker(3, "killed"));
  ASSERT_TRUE(eventually([&] { return pictures("killed") >= 4 && pid_of_rank("killed", 1) > 0; }));
  const double before = now();
  ASSERT_EQ(kill(pid_of_rank("killed", 1), SIGKILL), 0);
  const Ended ended = job.wait();
  EXPECT_NE(ended.code, 0);
  EXPECT_LT(now() - before, 10) << "a dead rank ends the job quickly";

  const std::size_t kept = pictures("killed");
  const Ended resumed = run(worker(2, "killed"));
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_GE(kept, 4u);
  EXPECT_EQ(results("killed"), 24u);
  const Ended verdict = verify("whole", "killed");
  EXPECT_EQ(verdict.code, 0) << verdict.output;
}

TEST_F(Results, KillingRankZeroLosesNothingThatWasFinished) {
  prepare(prompts(16, "cost=0.3"));
  ASSERT_EQ(run(worker(2, "whole")).code, 0);
  Process job = start(worker(2, "killed"));
  ASSERT_TRUE(eventually([&] { return pictures("killed") >= 3; }));
  ASSERT_EQ(kill(pid_of_rank("killed", 0), SIGKILL), 0);
  EXPECT_NE(job.wait().code, 0);
  const Ended resumed = run(worker(4, "killed"));
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_EQ(verify("whole", "killed").code, 0);
}

TEST_F(Results, AskedToStopItEndsWith75AndGoesOnLater) {
  prepare(prompts(30, "cost=0.15"));
  Process job = start(worker(2, "drained"));
  ASSERT_TRUE(eventually([&] { return pictures("drained") >= 2; }));
  job.signal(SIGUSR1);
  const Ended ended = job.wait(20);
  EXPECT_EQ(ended.code, 75) << ended.output;
  EXPECT_LT(pictures("drained"), 30u);
  const Ended resumed = run(worker(2, "drained"));
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_EQ(pictures("drained"), 30u);
  EXPECT_EQ(text_of(folder("drained") / "journal.jsonl").find("\"suspect\""), std::string::npos)
      << "a job that ended by itself leaves no suspects";
}

TEST_F(Results, FinishedJobsAreNotDoneAgain) {
  prepare(prompts(3));
  ASSERT_EQ(run(worker(2, "run")).code, 0);
  const auto written = std::filesystem::last_write_time(folder("run") / "images" / "000001.png");
  EXPECT_EQ(run(worker(1, "run")).code, 0);
  EXPECT_EQ(std::filesystem::last_write_time(folder("run") / "images" / "000001.png"), written);
  EXPECT_EQ(run(worker(1, "run", {"--fresh"})).code, 0);
  EXPECT_NE(std::filesystem::last_write_time(folder("run") / "images" / "000001.png"), written);
}

TEST_F(Results, MissingAndCutFilesAreMadeAgain) {
  prepare(prompts(4));
  ASSERT_EQ(run(worker(1, "whole")).code, 0);
  ASSERT_EQ(run(worker(1, "hurt")).code, 0);
  std::filesystem::remove(folder("hurt") / "images" / "000001.png");
  std::filesystem::resize_file(folder("hurt") / "tensors" / "000003.safetensors", 10);
  const auto journal = folder("hurt") / "journal.jsonl";
  std::filesystem::resize_file(journal, std::filesystem::file_size(journal) - 5);  // a torn last line
  const Ended resumed = run(worker(2, "hurt"));
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_EQ(verify("whole", "hurt").code, 0);
}

TEST_F(Results, ShardsOfAGuidedBatchHaveTheirOwnSeeds) {
  prepare("");
  const auto file = write("prompts.jsonl",
                          "{\"id\": \"a\", \"prompt\": \"x\", \"seed\": 5, \"guidance\": 3}\n"
                          "{\"id\": \"b\", \"prompt\": \"x\", \"seed\": 5, \"guidance\": 3, \"width\": 40}\n"
                          "{\"id\": \"c\", \"prompt\": \"x\", \"images_per_prompt\": 3}\n");
  const std::vector<std::string> more = {"--set", "input.prompts=" + file.string()};
  ASSERT_EQ(run(worker(1, "one", more)).code, 0);
  ASSERT_EQ(run(worker(3, "three", more)).code, 0);
  EXPECT_EQ(verify("one", "three").code, 0);
  EXPECT_EQ(pictures("one"), 5u);
  EXPECT_NE(text_of(folder("one") / "images" / "c_0.png"), text_of(folder("one") / "images" / "c_1.png"));
}

}  // namespace trireme::e2e
