#include "launcher/launch_line.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/errors.h"
#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

LaunchRequest request(int ranks, const std::string& hosts = "") {
  return {"/opt/trireme-worker", ranks, hosts, {"job.yaml"}};
}

Machine workstation() {
  Machine machine;
  machine.cores = 4;
  machine.mpirun = "mpirun";
  return machine;
}

/// Inside a Slurm job on `nodes` nodes.
Machine node_of(int nodes, int tasks = 0, int gpus_per_node = 0) {
  Machine machine = workstation();
  machine.allocation.emplace();
  machine.allocation->nodes = nodes;
  machine.allocation->tasks = tasks;
  machine.allocation->gpus_per_node = gpus_per_node;
  machine.srun_has_pmix = true;
  return machine;
}

bool has(const LaunchLine& line, const std::string& word) {
  return std::find(line.words.begin(), line.words.end(), word) != line.words.end();
}

}  // namespace

TEST(LaunchLine, OneRankNeedsNoLauncher) {
  Machine login = workstation();
  login.mpirun.clear();
  EXPECT_EQ(to_shell(compose_launch(request(1), login)), "/opt/trireme-worker job.yaml");
}

TEST(LaunchLine, RanksAreNotBoundToOneCoreEach) {
  EXPECT_EQ(compose_launch(request(2), workstation()).words,
            (std::vector<std::string>{"mpirun", "-n", "2", "--bind-to", "none", "/opt/trireme-worker", "job.yaml"}));
}

TEST(LaunchLine, MoreRanksThanCoresShareThemPolitely) {
  const LaunchLine line = compose_launch(request(5), workstation());
  EXPECT_TRUE(has(line, "--oversubscribe"));
  EXPECT_TRUE(has(line, "mpi_yield_when_idle"));
  EXPECT_FALSE(has(compose_launch(request(4), workstation()), "--oversubscribe"));
}

TEST(LaunchLine, RootIsAllowedByTheEnvironmentOnlyWhenItIsRoot) {
  Machine root = workstation();
  root.root = true;
  EXPECT_EQ(compose_launch(request(2), root).environment.at("OMPI_ALLOW_RUN_AS_ROOT"), "1");
  EXPECT_EQ(compose_launch(request(2), workstation()).environment.count("OMPI_ALLOW_RUN_AS_ROOT"), 0u);
}

TEST(LaunchLine, HostsGoToMpirunEvenForOneRank) {
  EXPECT_TRUE(has(compose_launch(request(1, "h1"), workstation()), "--host"));
  EXPECT_TRUE(has(compose_launch(request(4, "h0:2,h1:2"), workstation()), "h0:2,h1:2"));
}

TEST(LaunchLine, AHostfileIsGivenAsOneAndItsSlotsAreCounted) {
  const TemporaryFolder folder;
  const std::string file = folder.write("hosts", "# all\nh0 slots=2\n\nh1 slots=3 max_slots=4 # last\nh2\n").string();
  EXPECT_TRUE(has(compose_launch(request(4, file), workstation()), "--hostfile"));
  EXPECT_EQ(ranks_of(request(0, file), workstation()), 6);
}

TEST(LaunchLine, HostsThatCanNotBeReadAreRefusedBeforeAnythingStarts) {
  for (const char* hosts : {"h0:", "h0:x", ":2", "h0:0", "h0:2,,h1:2", "h0:-1"}) {
    EXPECT_EQ(error_of([&] { compose_launch(request(2, hosts), workstation()); }).code(), ExitCode::usage) << hosts;
  }
}

TEST(LaunchLine, WithoutANumberTheHostsTheAllocationOrTheGpusSayIt) {
  EXPECT_EQ(ranks_of(request(0), workstation()), 1);
  Machine gpus = workstation();
  gpus.gpus = 8;
  EXPECT_EQ(ranks_of(request(0), gpus), 8);
  EXPECT_EQ(ranks_of(request(3), gpus), 3);
  EXPECT_EQ(ranks_of(request(0, "h0:4,h1:4,h2"), gpus), 9);
  EXPECT_EQ(ranks_of(request(0), node_of(2, 6, 4)), 6);
  EXPECT_EQ(ranks_of(request(0), node_of(2, 0, 4)), 8);
  EXPECT_EQ(ranks_of(request(0), node_of(3)), 3);
}

TEST(LaunchLine, InsideAnAllocationItIsSrunWithPmixAndAnEvenShareForEachNode) {
  const LaunchLine line = compose_launch(request(7), node_of(2));
  EXPECT_EQ(line.words[0], "srun");
  for (const char* word : {"--mpi=pmix", "--kill-on-bad-exit=1", "--nodes=2", "--ntasks=7", "--ntasks-per-node=4"}) {
    EXPECT_TRUE(has(line, word)) << word;
  }
  EXPECT_EQ(line.environment.at("SLURM_PMIX_FENCE"), "ring");
  Machine chosen = node_of(2);
  chosen.allocation->pmix_fence = "tree";
  EXPECT_FALSE(compose_launch(request(7), chosen).environment.contains("SLURM_PMIX_FENCE")) << "srun inherits it";
  EXPECT_TRUE(has(compose_launch(request(1), node_of(2)), "--nodes=1"));
  EXPECT_FALSE(has(line, "--overlap"));
}

TEST(LaunchLine, CpusOfATaskReachSrun) {
  Machine node = node_of(1);
  node.allocation->cpus_per_task = 6;
  EXPECT_EQ(compose_launch(request(2), node).environment.at("SRUN_CPUS_PER_TASK"), "6");
}

TEST(LaunchLine, InsideAStepItSharesTheCpusInsteadOfWaitingForThem) {
  Machine node = node_of(1);
  node.allocation->in_step = true;
  EXPECT_TRUE(has(compose_launch(request(2), node), "--overlap"));
}

TEST(LaunchLine, WhereSrunHasNoPmixMpirunStartsThroughSlurm) {
  Machine node = node_of(2);
  node.srun_has_pmix = false;
  const LaunchLine line = compose_launch(request(4), node);
  EXPECT_EQ(line.words[0], "mpirun");
  EXPECT_TRUE(has(line, "ppr:2:node"));
  EXPECT_TRUE(line.environment.contains("PRTE_MCA_oob_tcp_keepalive_time"));
}

TEST(LaunchLine, OpenMpiNoticesALostHostBeforeTheRanksWatchDoes) {
  for (const double stall : {5.0, 10.0, 60.0, 600.0}) {
    const auto variables = keep_alive(stall);
    const auto number = [&](const char* name) {
      return std::stod(variables.at(std::string("OMPI_MCA_oob_tcp_keepalive_") + name));
    };
    const double seconds = number("time") + number("intvl") * number("probes");
    EXPECT_LE(seconds, stall) << stall;
    EXPECT_LE(seconds, 25) << stall;
  }
}

TEST(LaunchLine, ACommandThatALauncherHasStartedSeveralTimesIsRefused) {
  EXPECT_NO_THROW(refuse_several_launchers({}));
  EXPECT_NO_THROW(refuse_several_launchers({{"SLURM_JOB_ID", "1"}, {"SLURM_NTASKS", "4"}}));
  EXPECT_THROW(refuse_several_launchers({{"OMPI_COMM_WORLD_SIZE", "2"}}), ConfigError);
  EXPECT_THROW(refuse_several_launchers({{"SLURM_JOB_ID", "1"}, {"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "2"}}),
               ConfigError);
}

TEST(LaunchLine, AMissingMpirunIsNamedWithTheRemedy) {
  Machine bare = workstation();
  bare.mpirun.clear();
  try {
    compose_launch(request(2), bare);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::unavailable);
    EXPECT_NE(std::string(e.what()).find("openmpi"), std::string::npos);
  }
}

TEST(LaunchLine, TheShellTextCanBePasted) {
  const LaunchLine line{{"mpirun", "a b", "it's", ""}, {{"KEY", "x y"}}};
  EXPECT_EQ(to_shell(line), R"(KEY='x y' mpirun 'a b' 'it'\''s' '')");
}

}  // namespace trireme
