// The halves of guidance on two ranks: the same bits, and nothing lost when a rank of the pair fails.

#include <csignal>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

class ParallelGuidance : public JobTest {
 protected:
  void prepare_guided(const std::string& prompts) { prepare(prompts, "parallel: {guidance: 2}\n"); }
  static std::vector<std::string> on_one() { return {"--set", "parallel.guidance=1", "--set", "sampling.guidance=3"}; }
  static std::vector<std::string> on_two(std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--set", "sampling.guidance=3"});
    return more;
  }
};

}  // namespace

TEST_F(ParallelGuidance, GivesTheSameBitsForZImage) {
  write("prompts.jsonl",
        "{\"prompt\": \"a red fox\", \"seed\": 1, \"negative_prompt\": \"grey\"}\n"
        "{\"prompt\": \"一只猫\", \"width\": 96, \"height\": 32, \"cfg_truncation\": 0.5}\n"
        "{\"prompt\": \"\", \"guidance\": 0}\n"
        "{\"prompt\": \"a house\", \"cfg_normalization\": 1}\n");
  job_ = write("job.yaml", std::string("model: {path: ") + TRIREME_SOURCE_DIR +
                               "/tests/golden/z_image_base}\n"
                               "sampling: {width: 64, height: 64, steps: 5}\n"
                               "output: {tensors: true}\n"
                               "input: {prompts: " +
                               (root_ / "prompts.jsonl").string() + "}\n");
  ASSERT_EQ(run(worker(1, "n1")).code, 0);
  for (const int ranks : {2, 4}) {
    const std::string name = "pairs" + std::to_string(ranks);
    const Ended ended = run(worker(ranks, name, {"--set", "parallel.guidance=2"}));
    ASSERT_EQ(ended.code, 0) << ended.output;
    const Ended verdict = verify("n1", name);
    EXPECT_EQ(verdict.code, 0) << verdict.output;
  }
}

TEST_F(ParallelGuidance, AFailedItemFailsAloneAndIsToldOnce) {
  prepare_guided("one\nfail two\nthree\nfour\nfive\n");
  const Ended ended = run(worker(4, "run", on_two()));
  EXPECT_EQ(ended.code, 3) << ended.output;
  EXPECT_EQ(pictures("run"), 4u);
  EXPECT_EQ(results("run"), 5u);
}

TEST_F(ParallelGuidance, WhatARankOfThePairLeftBehindIsMadeOnOneRankWithTheSameBits) {
  prepare_guided("a cost=0.3\nb cost=0.3\nc cost=0.9\nd cost=0.9\ne cost=0.9\nf cost=0.9\n");
  ASSERT_EQ(run(worker(1, "whole", on_one())).code, 0);
  for (const int victim : {0, 1}) {
    const std::string name = "victim" + std::to_string(victim);
    Process job = start(worker(2, name, on_two()));
    ASSERT_TRUE(eventually([&] { return pictures(name) >= 2; }));
    ASSERT_EQ(kill(pid_of_rank(name, victim), SIGKILL), 0);
    EXPECT_NE(job.wait(30).code, 0);
    EXPECT_LT(pictures(name), 6u);
    const Ended resumed = run(worker(1, name, on_one()));
    ASSERT_EQ(resumed.code, 0) << resumed.output;
    EXPECT_EQ(verify("whole", name).code, 0);
  }
}

TEST_F(ParallelGuidance, AHangEndsByTheWatchdog) {
  prepare("one\ntwo hang\nthree\n", "parallel: {guidance: 2}\nlimits: {stall_timeout_seconds: 2}\n");
  const Ended ended = run(worker(2, "run", on_two()), 40);
  EXPECT_EQ(ended.code, 75) << ended.output;
  EXPECT_LT(ended.seconds, 20);
}

TEST_F(ParallelGuidance, DrainsAndLeavesTheRestForLater) {
  prepare_guided("a cost=0.5\nb cost=0.5\nc cost=0.5\nd cost=0.5\ne cost=0.5\nf cost=0.5\n");
  Process job = start(worker(2, "run", on_two()));
  ASSERT_TRUE(eventually([&] { return pictures("run") >= 1; }));
  ASSERT_EQ(kill(pid_of_rank("run", 1), SIGUSR1), 0);
  const Ended drained = job.wait(30);
  EXPECT_EQ(drained.code, 75) << drained.output;
  EXPECT_LT(pictures("run"), 6u);
  EXPECT_EQ(run(worker(2, "run", on_two())).code, 0);
  EXPECT_EQ(pictures("run"), 6u);
}

}  // namespace trireme::e2e
