#pragma once
// The mpirun or srun line of a job: a pure function of what was asked and what the machine is, so that --dry-run, the
// tests, the job scripts and the run itself agree.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/host.h"
#include "common/slurm.h"

namespace trireme {

struct LaunchRequest {
  std::string worker;                  // path of trireme-worker
  int ranks = 0;                       // 0: one a GPU or task, see `ranks_of`
  std::string hosts;                   // "h0:2,h1:2", the path of a hostfile, or empty
  std::vector<std::string> arguments;  // of the worker: the job file and its flags
  double stall_seconds = 600;          // limits.stall_timeout_seconds
};

struct Machine {
  int cores = 1;  // this process may use
  int gpus = 0;
  bool root = false;
  std::string mpirun;  // "mpirun" when on the PATH, else that of the build when it is there, else empty
  std::optional<slurm::Allocation> allocation;  // that we are in, where srun is on the PATH
  bool srun_has_pmix = false;                   // asked inside an allocation only
};

struct LaunchLine {
  std::vector<std::string> words;
  std::map<std::string, std::string> environment;  // added to ours
};

/// What was asked for; else the slots of the hosts; else the tasks of the allocation, or a rank for each GPU it was
/// asked to have, or one a node; else one for each GPU of this machine, or one. Throws ConfigError for hosts without
/// counts.
int ranks_of(const LaunchRequest& request, const Machine& machine);

/// Inside a Slurm allocation all its nodes get as even a share as can be: srun with PMIx, or mpirun (which starts
/// through Slurm) where srun has none. Else mpirun with no binding (one core a rank is its default), keep-alives that
/// notice a lost node within seconds, and, with more ranks than cores, waiting ranks that give up their core. One rank
/// without hosts or allocation needs no launcher. Throws Error(unavailable) when a launcher is needed and none is
/// there.
LaunchLine compose_launch(const LaunchRequest& request, const Machine& machine);

/// SLURM_PMIX_FENCE of every srun, unless the site or the user has set another: Slurm's tree, its default, does not
/// hold the nodes of a job together that has fewer of them than TreeWidth (Slurm 22.05.8, reverse_tree_info), and a
/// rank that leaves MPI_Init early may crash another.
constexpr const char* kSrunFence = "ring";

/// Words of the launcher alone, for a job script: `per_node` ranks on each of `nodes`.
std::vector<std::string> srun_words(int nodes, int ranks, int per_node);
std::vector<std::string> mpirun_words(const std::string& mpirun, int ranks, int per_node);
/// Open MPI notices a lost node by these within half a minute, instead of hanging, and before the ranks' own watch
/// does, after which it would hang all the same; for its versions 4 and 5.
std::map<std::string, std::string> keep_alive(double stall_seconds = 600);

/// Looks at the environment, the PATH, the CPU mask and the GPUs.
Machine look_at_machine();

/// Throws ConfigError when this command was itself started several times side by side, by srun or mpirun: each would
/// start a job of its own.
void refuse_several_launchers(const Environment& environment);

/// For a shell, quoted where needed.
std::string to_shell(const LaunchLine& line);

}  // namespace trireme
