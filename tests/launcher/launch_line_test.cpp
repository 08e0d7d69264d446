#include "launcher/launch_line.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/errors.h"

namespace trireme {
namespace {

LaunchRequest request(int ranks, const std::string& hosts = "") {
  return {"/opt/trireme-worker", ranks, hosts, {"job.yaml"}};
}

Machine workstation() { return {4, false, false, "mpirun"}; }

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

TEST(LaunchLine, InsideAnAllocationItIsSrunWithPmix) {
  Machine node = workstation();
  node.slurm = true;
  const LaunchLine line = compose_launch(request(8), node);
  EXPECT_EQ(line.words[0], "srun");
  EXPECT_TRUE(has(line, "--mpi=pmix"));
  EXPECT_TRUE(has(line, "--kill-on-bad-exit=1"));
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
