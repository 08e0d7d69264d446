#include "worker/transport/launch.h"

#include <gtest/gtest.h>

#include "worker/transport/self_transport.h"
#include "worker/transport/strict_transport.h"

namespace trireme {
namespace {

std::string refusal(const Environment& environment, int mpi_size) {
  try {
    refuse_singletons(recognise_launcher(environment), mpi_size, /*allow_singleton=*/false);
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.code(), ExitCode::config);
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(RecogniseLauncher, KnowsAPlainProcess) {
  const Launcher launcher = recognise_launcher({{"PATH", "/usr/bin"}});
  EXPECT_EQ(launcher.name, "none");
  EXPECT_EQ(launcher.processes, 1);
  EXPECT_FALSE(launcher.has_mpi);
}

TEST(RecogniseLauncher, BelievesOpenMpiBeforeSlurm) {
  // mpirun in a batch job: SLURM_* come from the batch step and are the same on every rank.
  const Launcher launcher = recognise_launcher({{"OMPI_COMM_WORLD_SIZE", "8"},
                                                {"PMIX_RANK", "3"},
                                                {"SLURM_STEP_ID", "0"},
                                                {"SLURM_PROCID", "0"},
                                                {"SLURM_STEP_NUM_TASKS", "2"}});
  EXPECT_EQ(launcher.name, "mpirun");
  EXPECT_EQ(launcher.processes, 8);
  EXPECT_TRUE(launcher.has_mpi);
}

TEST(RecogniseLauncher, KnowsSrunWithPmix) {
  const Launcher launcher = recognise_launcher(
      {{"PMIX_RANK", "1"}, {"SLURM_STEP_ID", "3"}, {"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_NTASKS", "9"}});
  EXPECT_EQ(launcher.name, "srun");
  EXPECT_EQ(launcher.processes, 4);
  EXPECT_TRUE(launcher.has_mpi);
}

TEST(RecogniseLauncher, KnowsAnotherPmixLauncher) {
  EXPECT_EQ(recognise_launcher({{"PMIX_RANK", "0"}}).name, "pmix");
  EXPECT_TRUE(recognise_launcher({{"PMIX_RANK", "0"}}).has_mpi);
}

TEST(RefuseSingletons, NamesTheRightCommandForSrunWithoutPmix) {
  const std::string text = refusal({{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "4"}, {"PMI_RANK", "2"}}, 1);
  EXPECT_TRUE(contains(text, "4 processes")) << text;
  EXPECT_TRUE(contains(text, "srun --mpi=pmix -n 4")) << text;
}

TEST(RefuseSingletons, FallsBackToTheTasksOfTheJobInAStep) {
  EXPECT_NE(refusal({{"SLURM_STEP_ID", "0"}, {"SLURM_NTASKS", "2"}}, 1), "");
}

TEST(RefuseSingletons, CatchesAnMpiThatSeesFewerRanksThanWereStarted) {
  EXPECT_NE(refusal({{"PMIX_RANK", "0"}, {"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "4"}}, 1), "");
  EXPECT_NE(refusal({{"OMPI_COMM_WORLD_SIZE", "2"}}, 1), "");
  EXPECT_EQ(refusal({{"OMPI_COMM_WORLD_SIZE", "2"}}, 2), "");
}

TEST(RefuseSingletons, LeavesAPlainProcessOfABatchJobAlone) {
  EXPECT_EQ(refusal({{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}}, 1), "");
  // The batch script and an interactive shell as steps with special ids.
  EXPECT_EQ(refusal({{"SLURM_STEP_ID", "4294967291"}, {"SLURM_NTASKS", "4"}}, 1), "");
  EXPECT_EQ(refusal({{"SLURM_STEP_ID", "4294967290"}, {"SLURM_NTASKS", "4"}}, 1), "");
}

TEST(RefuseSingletons, LeavesOneTaskOfSrunAlone) {
  EXPECT_EQ(refusal({{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "1"}, {"SLURM_NTASKS", "4"}}, 1), "");
}

TEST(RefuseSingletons, SaysWhatTorchrunUsersShouldType) {
  const std::string text = refusal({{"TORCHELASTIC_RUN_ID", "x"}, {"LOCAL_RANK", "1"}, {"WORLD_SIZE", "2"}}, 1);
  EXPECT_TRUE(contains(text, "torchrun")) << text;
  EXPECT_TRUE(contains(text, "mpirun -n 2")) << text;
  EXPECT_NE(refusal({{"LOCAL_RANK", "1"}, {"MASTER_ADDR", "a"}, {"WORLD_SIZE", "2"}}, 1), "");
}

TEST(RefuseSingletons, SaysWhatUsersOfAnotherMpiShouldType) {
  const std::string text = refusal({{"PMI_RANK", "1"}, {"PMI_SIZE", "3"}}, 1);
  EXPECT_TRUE(contains(text, "another MPI")) << text;
  EXPECT_TRUE(contains(text, "mpirun -n 3")) << text;
}

TEST(RefuseSingletons, LetsTheUserHaveIt) {
  const Launcher launcher = recognise_launcher({{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "4"}});
  EXPECT_NO_THROW(refuse_singletons(launcher, 1, /*allow_singleton=*/true));
}

TEST(RefuseSingletons, IgnoresNumbersThatAreNone) {
  EXPECT_EQ(refusal({{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "many"}}, 1), "");
}

Launch bound(int cpus, int host_cpus, int local_size, const std::string& launcher) {
  Launch launch;
  launch.cpu_count = cpus;
  launch.host_cpus = host_cpus;
  launch.local_size = local_size;
  launch.launcher = launcher;
  return launch;
}

TEST(BindingAdvice, NamesTheFlagOfTheLauncher) {
  const std::string mpirun = binding_advice(bound(1, 32, 4, "mpirun"), 1).value_or("");
  EXPECT_TRUE(contains(mpirun, "1 of 32 CPUs")) << mpirun;
  EXPECT_TRUE(contains(mpirun, "--bind-to none")) << mpirun;
  EXPECT_TRUE(contains(mpirun, "--map-by ppr:4:node:PE=2")) << mpirun;
  const std::string srun = binding_advice(bound(1, 32, 4, "srun"), 3).value_or("");
  EXPECT_TRUE(contains(srun, "--cpus-per-task=4")) << srun;
}

TEST(BindingAdvice, IsSilentWhereMoreCannotBeHad) {
  EXPECT_FALSE(binding_advice(bound(32, 32, 4, "mpirun"), 8));
  EXPECT_FALSE(binding_advice(bound(1, 2, 2, "mpirun"), 1));  // one core each is the fair share
  EXPECT_FALSE(binding_advice(bound(2, 2, 4, "mpirun"), 1));  // unbound, crowded
  EXPECT_FALSE(binding_advice(bound(1, 1, 1, "none"), 4));
}

TEST(DescribeDifference, ListsTheRanksThatDifferFromRankZero) {
  EXPECT_FALSE(describe_difference("program", {"a", "a", "a"}));
  EXPECT_TRUE(contains(*describe_difference("program", {"a", "b", "a"}), "program of rank 1 differs"));
  EXPECT_TRUE(contains(*describe_difference("program", {"a", "b", "a", "c"}), "program of ranks 1, 3 differ"));
}

TEST(RequireEqual, AcceptsOneRank) {
  SelfTransport transport{at::Device(at::kCPU)};
  EXPECT_NO_THROW(require_equal(transport, "program", "abc"));
}

TEST(RequireEqual, ThrowsOnEveryRankAndNamesTheOneThatDiffers) {
  strict::run({.ranks = 3}, [](Transport& transport, Transport&) {
    EXPECT_NO_THROW(require_equal(transport, "program", "abc"));
    std::string text;
    try {
      require_equal(transport, "program", transport.rank() == 2 ? "old" : "new");
    } catch (const ConfigError& error) {
      text = error.what();
    }
    EXPECT_TRUE(contains(text, "program of rank 2 differs")) << "on rank " << transport.rank() << ": " << text;
  });
}

TEST(MpiSession, StartsNothingWithoutALauncher) {
  const MpiSession session(/*allow_singleton=*/false);
  EXPECT_EQ(session.launch().size, 1);
  EXPECT_FALSE(session.launch().mpi);
  EXPECT_GE(session.launch().cpu_count, 1);
  EXPECT_LE(session.launch().cpu_count, session.launch().host_cpus);
  EXPECT_FALSE(session.launch().host.empty());
}

}  // namespace
}  // namespace trireme
