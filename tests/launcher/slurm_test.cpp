#include "launcher/slurm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace trireme {
namespace {

using testing::HasSubstr;
using testing::Not;

JobScript two_nodes() {
  JobScript script;
  script.command = "trireme slurm job.yaml --nodes 2 --gpus-per-node 4";
  script.worker = "/opt/trireme-worker";
  script.job = "/data/my job.yaml";
  script.nodes = 2;
  script.gpus_per_node = 4;
  return script;
}

/// The scripts that ship: for any job file, started from the top of the source tree.
JobScript shipped(const std::string& command, int nodes, int array) {
  JobScript script;
  script.command = command;
  script.worker = "build/release/trireme-worker";
  script.nodes = nodes;
  script.gpus_per_node = 4;
  script.array = array;
  return script;
}

std::string text_of(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(TRIREME_SOURCE_DIR "/scripts/slurm/" + name).rdbuf();
  return text.str();
}

}  // namespace

TEST(JobScript, AsksForOneTaskAGpuOnEachNode) {
  const std::string text = to_text(two_nodes());
  for (const char* line : {"#SBATCH --nodes=2\n", "#SBATCH --ntasks-per-node=4 ", "#SBATCH --gpus-per-node=4 ",
                           "#SBATCH --requeue ", "#SBATCH --open-mode=append ", "#SBATCH --signal=B:USR1@120 "}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("--array")));
}

TEST(JobScript, StartsTheRanksWithSrunAndQuotesWhatNeedsIt) {
  const std::string text = to_text(two_nodes());
  EXPECT_THAT(text, HasSubstr("srun --mpi=pmix --kill-on-bad-exit=1 --wait=30 \\\n"
                              "  /opt/trireme-worker '/data/my job.yaml' \"$@\" &\n"));
  EXPECT_THAT(text, HasSubstr("export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK"));
  EXPECT_THAT(text, HasSubstr("export SLURM_PMIX_FENCE=${SLURM_PMIX_FENCE:-ring}  #"));
}

TEST(JobScript, UsesMpirunWithItsKeepAlivesWhereSrunCanNotStartMpi) {
  JobScript script = two_nodes();
  script.srun = false;
  const std::string text = to_text(script);
  EXPECT_THAT(text, HasSubstr("\nmpirun -n 8 --map-by ppr:4:node --bind-to none \\\n"));
  EXPECT_THAT(text, HasSubstr("export OMPI_MCA_oob_tcp_keepalive_time="));
  EXPECT_THAT(text, Not(HasSubstr("srun")));
}

TEST(JobScript, AnArrayGivesEachTaskItsShareOfTheInput) {
  JobScript script = two_nodes();
  script.array = 3;
  script.directory = "runs/first";
  const std::string text = to_text(script);
  EXPECT_THAT(text, HasSubstr("#SBATCH --array=0-2 "));
  EXPECT_THAT(text, HasSubstr("--shard \"$SLURM_ARRAY_TASK_ID/3\""));
  EXPECT_THAT(text, HasSubstr("trireme merge runs/first"));
}

TEST(JobScript, PartitionAndAccountAppearWhenTheyAreGiven) {
  JobScript script = two_nodes();
  script.partition = "gpu";
  script.account = "project";
  EXPECT_THAT(to_text(script), HasSubstr("#SBATCH --partition=gpu\n#SBATCH --account=project\n"));
}

TEST(JobScript, TheScriptsThatShipAreWhatIsWritten) {
  EXPECT_EQ(text_of("one_node.sbatch"), to_text(shipped("trireme slurm JOB.yaml --nodes 1 --gpus-per-node 4", 1, 0)));
  EXPECT_EQ(text_of("many_nodes.sbatch"), to_text(shipped("trireme slurm JOB.yaml --nodes 2 --gpus-per-node 4", 2, 0)));
  EXPECT_EQ(text_of("array.sbatch"),
            to_text(shipped("trireme slurm JOB.yaml --nodes 1 --gpus-per-node 4 --array 4", 1, 4)));
}

}  // namespace trireme
