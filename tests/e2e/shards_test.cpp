// Jobs that share an input, one that ends before its time limit, and ranks that do not belong together.

#include <ctime>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

std::string prompts(int count, const std::string& words = "") {
  std::string text;
  for (int i = 0; i < count; ++i) text += "picture " + std::to_string(i) + " " + words + "\n";
  return text;
}

class Shards : public JobTest {
 protected:
  Ended merge(const std::string& name) const { return run({TRIREME_LAUNCHER, "merge", folder(name).string()}); }
  /// The worker as Slurm would start it, in a job with these variables.
  Ended in_slurm(const std::string& name, std::map<std::string, std::string> variables) const {
    variables["CUDA_VISIBLE_DEVICES"] = "";
    return Process(worker(1, name), variables, root_ / "slurm.txt").wait();
  }
};

class Mix : public JobTest {
 protected:
  /// A launch of two ranks from two command lines.
  Ended together(const std::vector<std::string>& first, const std::vector<std::string>& second) const {
    std::vector<std::string> words = {
        "mpirun", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1", "-n", "1"};
    words.insert(words.end(), first.begin(), first.end());
    words.insert(words.end(), {":", "-n", "1"});
    words.insert(words.end(), second.begin(), second.end());
    return run(words, 30);
  }
};

}  // namespace

TEST_F(Shards, MergedTheyAreTheRunOfTheWholeInput) {
  prepare(prompts(11));
  ASSERT_EQ(run(worker(2, "whole")).code, 0);
  for (int i = 0; i < 3; ++i) {
    const Ended ended = run(worker(1 + i % 2, "shared", {"--shard", std::to_string(i) + "/3"}));
    ASSERT_EQ(ended.code, 0) << ended.output;
  }
  const Ended merged = merge("shared");
  EXPECT_EQ(merged.code, 0) << merged.output;
  const Ended verdict = verify("whole", "shared");
  EXPECT_EQ(verdict.code, 0) << verdict.output;
  EXPECT_EQ(results("shared"), 11u);
  EXPECT_EQ(run(worker(1, "shared")).code, 0) << "the whole job finds everything made";
}

TEST_F(Shards, ATaskOfAnArrayTakesItsShareByItself) {
  prepare(prompts(5));
  ASSERT_EQ(run(worker(1, "whole")).code, 0);
  for (const char* id : {"3", "4"}) {
    const Ended ended = in_slurm("array", {{"SLURM_ARRAY_TASK_ID", id},
                                           {"SLURM_ARRAY_TASK_COUNT", "2"},
                                           {"SLURM_ARRAY_TASK_MIN", "3"},
                                           {"SLURM_ARRAY_TASK_MAX", "4"}});
    ASSERT_EQ(ended.code, 0) << ended.output;
  }
  EXPECT_EQ(merge("array").code, 0);
  EXPECT_EQ(verify("whole", "array").code, 0);
}

TEST_F(Shards, KeepTheBatchesOfTheWholeInput) {
  prepare(prompts(11), "dispatch: {batch: 3}\n");
  const std::vector<std::string> text = {"--set", "model.family=fake_text"};
  ASSERT_EQ(run(worker(2, "whole", text)).code, 0);
  for (int i = 0; i < 3; ++i) {
    std::vector<std::string> words = text;
    words.insert(words.end(), {"--shard", std::to_string(i) + "/3"});
    const Ended ended = run(worker(1, "shared", words));
    ASSERT_EQ(ended.code, 0) << ended.output;
  }
  EXPECT_EQ(merge("shared").code, 0);
  EXPECT_EQ(verify("whole", "shared").code, 0);
  const std::string first = text_of(folder("shared") / "shard-00001-of-00003" / "journal.jsonl");
  EXPECT_NE(first.find("\"ids\":[\"000004\",\"000005\",\"000006\"]"), std::string::npos) << first;
}

TEST_F(Shards, MoreOfThemThanItemsLeaveNothingOut) {
  prepare(prompts(2));
  ASSERT_EQ(run(worker(1, "whole")).code, 0);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(run(worker(1, "shared", {"--shard", std::to_string(i) + "/3"})).code, 0);
  EXPECT_EQ(merge("shared").code, 0);
  EXPECT_EQ(verify("whole", "shared").code, 0);
}

TEST_F(Shards, AJobEndsBeforeItsTimeLimitAndGoesOnInTheNext) {
  prepare(prompts(40, "cost=0.2"), "limits: {stop_before_seconds: 60}\n");
  const auto ends_in = [](long seconds) {
    return std::map<std::string, std::string>{{"SLURM_JOB_ID", "7"},
                                              {"SLURM_JOB_END_TIME", std::to_string(std::time(nullptr) + seconds)}};
  };
  const Ended stopped = in_slurm("run", ends_in(64));
  EXPECT_EQ(stopped.code, 75) << stopped.output;
  EXPECT_LT(stopped.seconds, 10);
  EXPECT_GE(pictures("run"), 1u);
  EXPECT_LT(pictures("run"), 40u);
  const Ended too_late = in_slurm("run", ends_in(30));
  EXPECT_EQ(too_late.code, 75) << too_late.output;
  EXPECT_NE(too_late.output.find("nothing was begun"), std::string::npos) << too_late.output;
  const Ended finished = in_slurm("run", ends_in(600));
  EXPECT_EQ(finished.code, 0) << finished.output;
  EXPECT_EQ(results("run"), 40u);
}

TEST_F(Mix, RanksWithOtherSettingsOrPromptsAreNamedBeforeAnyWork) {
  prepare(prompts(3));
  const Ended settings = together(worker(1, "run"), worker(1, "run", {"--set", "sampling.seed=1"}));
  EXPECT_EQ(settings.code, 78) << settings.output;
  EXPECT_NE(settings.output.find("the job"), std::string::npos) << settings.output;
  EXPECT_NE(settings.output.find("rank 1"), std::string::npos) << settings.output;

  const std::vector<std::string> job = worker(1, "run");
  const auto reads_others = [&](const std::string& folder, const std::string& text) {
    std::filesystem::create_directory(root_ / folder);
    write(folder + "/p.txt", text);
    std::vector<std::string> words = {"sh", "-c", "cd '" + (root_ / folder).string() + "' && exec \"$@\"", "sh"};
    words.insert(words.end(), job.begin(), job.end());
    words.insert(words.end(), {"--set", "input.prompts=p.txt"});
    return words;
  };
  const Ended input = together(reads_others("a", "one\n"), reads_others("b", "two\n"));
  EXPECT_EQ(input.code, 78) << input.output;
  EXPECT_NE(input.output.find("the prompts file"), std::string::npos) << input.output;
  EXPECT_FALSE(std::filesystem::exists(folder("run"))) << "a mix touches nothing";
}

}  // namespace trireme::e2e
