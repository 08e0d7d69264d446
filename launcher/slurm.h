#pragma once
// trireme slurm JOB --nodes N --gpus-per-node G: writes a commented job script. The ready ones in scripts/slurm/ are
// what this writes without a job file, and a test keeps them so.

#include <CLI/App.hpp>
#include <string>

namespace trireme {

void add_slurm(CLI::App& app);

struct JobScript {
  std::string command;    // that wrote it, for its first lines
  std::string worker;     // path of trireme-worker
  std::string job;        // job file; empty: the script's first argument
  std::string folder;     // to work in, so that the job file's paths hold; empty: where sbatch is run
  std::string directory;  // output.directory, for the merge of an array
  std::string name = "trireme";
  int nodes = 1, gpus_per_node = 1;
  int cpus_per_task = 4;
  std::string time = "04:00:00";
  int array = 0;  // tasks, each with a share of the input; 0: no array
  std::string partition, account;
  bool srun = true;  // srun --mpi=pmix; else mpirun
  std::string mpirun = "mpirun";
};

std::string to_text(const JobScript& script);

}  // namespace trireme
