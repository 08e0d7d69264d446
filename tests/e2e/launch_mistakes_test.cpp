// Wrong launches end in one clear line, within seconds, and touch nothing. srun itself: tests/e2e/slurm_test; GPUs that
// two ranks share: tests/worker/transport/list_test.cpp, tests/worker/doctor.

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

class LaunchMistakes : public JobTest {
 protected:
  LaunchMistakes() { prepare("one\ntwo\n"); }

  /// The worker with these variables, as a wrong launcher would start it.
  Ended with(std::map<std::string, std::string> variables) const {
    variables["CUDA_VISIBLE_DEVICES"] = "";
    return Process(worker(1, "run"), variables, root_ / "output.txt").wait(20);
  }

  void expect_refused(const Ended& ended, int code, const std::string& words) const {
    EXPECT_EQ(ended.code, code) << ended.output;
    EXPECT_NE(ended.output.find(words), std::string::npos) << ended.output;
    EXPECT_LT(ended.seconds, 5);
    EXPECT_FALSE(std::filesystem::exists(folder("run")));
  }
};

/// Lines that are the program's own.
std::size_t own_lines(const std::string& output) {
  std::size_t count = 0, at = 0;
  while ((at = output.find("trireme: ", at)) != std::string::npos) ++count, ++at;
  return count;
}

}  // namespace

TEST_F(LaunchMistakes, SrunWithoutPmixStartsManyRanksZero) {
  const Ended ended = with({{"SLURM_JOB_ID", "7"}, {"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "4"}});
  expect_refused(ended, 78, "srun --mpi=pmix -n 4");
  EXPECT_EQ(own_lines(ended.output), 1u) << ended.output;
}

TEST_F(LaunchMistakes, AnotherMpisLauncherStartsManyRanksZero) {
  expect_refused(with({{"PMI_RANK", "1"}, {"PMI_SIZE", "4"}}), 78, "use Open MPI's mpirun -n 4");
}

TEST_F(LaunchMistakes, TorchrunStartsManyRanksZero) {
  const Ended ended = with({{"TORCHELASTIC_RUN_ID", "none"},
                            {"WORLD_SIZE", "4"},
                            {"RANK", "2"},
                            {"LOCAL_RANK", "2"},
                            {"MASTER_ADDR", "localhost"}});
  expect_refused(ended, 78, "mpirun -n 4 trireme-worker");
  EXPECT_EQ(own_lines(ended.output), 1u) << ended.output;
}

TEST_F(LaunchMistakes, NcclWithoutAGpuForEachRankIsRefused) {
  expect_refused(run(worker(2, "run", {"--set", "parallel.transport=nccl"}), 20), 69, "has no GPU");
}

TEST_F(LaunchMistakes, TheLauncherInsideALauncherIsRefused) {
  const std::vector<std::string> words = launcher(2, "run");
  std::vector<std::string> twice = {"mpirun", "--oversubscribe", "-n", "2"};
  twice.insert(twice.end(), words.begin(), words.end());
  expect_refused(run(twice, 20), 64, "mpirun has started this command 2 times");
}

}  // namespace trireme::e2e
