#pragma once
// The mpirun or srun line of a job: a pure function of what was asked and what the machine is, so that --dry-run, the
// tests and the run itself agree.

#include <map>
#include <string>
#include <vector>

namespace trireme {

struct LaunchRequest {
  std::string worker;  // path of trireme-worker
  int ranks = 1;
  std::string hosts;                   // "h0:2,h1:2", or empty
  std::vector<std::string> arguments;  // of the worker: the job file and its flags
};

struct Machine {
  int cores = 1;  // this process may use
  bool root = false;
  bool slurm = false;  // inside an allocation, and srun is there
  std::string mpirun;  // "mpirun" when on the PATH, else that of the build when it is there, else empty
};

struct LaunchLine {
  std::vector<std::string> words;
  std::map<std::string, std::string> environment;  // added to ours
};

/// Inside a Slurm allocation: srun with PMIx. Else mpirun with no binding (one core a rank is its default), keep-alives
/// that notice a lost node within seconds, and, with more ranks than cores, waiting ranks that give up their core. One
/// rank without hosts needs no launcher. Throws Error(unavailable) when a launcher is needed and none is there.
LaunchLine compose_launch(const LaunchRequest& request, const Machine& machine);

/// Looks at the environment, the PATH and the CPU mask.
Machine look_at_machine();

/// For a shell, quoted where needed.
std::string to_shell(const LaunchLine& line);

}  // namespace trireme
