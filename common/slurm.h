#pragma once
// What Slurm says about the job that this process runs in. Functions of the environment, so that every case is tested
// without Slurm; only `seconds_left` asks Slurm itself. Both programs.

#include <cstdint>
#include <optional>
#include <string>

#include "common/host.h"

namespace trireme::slurm {

struct Allocation {
  std::string job;
  int nodes = 1;
  int tasks = 0;           // asked for, 0: nobody did
  int gpus_per_node = 0;   // asked for, 0: nobody did
  int cpus_per_task = 0;   // asked for, 0: nobody did
  bool in_step = false;    // this process is itself a task of srun
  int step_tasks = 1;      // how many such tasks there are
  std::string pmix_fence;  // SLURM_PMIX_FENCE: how srun's ranks wait for each other, "": nobody said
};

/// Whether this process is a task of srun; the batch script and the interactive shell of a job are not.
bool in_step(const Environment& environment);

/// Nothing outside a job.
std::optional<Allocation> allocation(const Environment& environment);

/// A task of an array job: its place among all ids of the array. Nothing outside an array, and for an array of one id.
/// Throws ConfigError for ids with gaps: the place can't be known.
struct ArrayTask {
  int index = 0, count = 1;
};
std::optional<ArrayTask> array_task(const Environment& environment);

/// Until the time limit of this job; nothing outside Slurm, without a limit, or when Slurm does not answer. `now`:
/// seconds since 1970.
std::optional<double> seconds_left(const Environment& environment, std::int64_t now);
/// "1-02:03:04", "02:03:04", "03:04" as squeue writes them; nothing for UNLIMITED and the like.
std::optional<double> parse_time_left(const std::string& text);

/// Whether srun of this site can start MPI programs: `srun --mpi=list` knows pmix.
bool srun_has_pmix();

}  // namespace trireme::slurm
