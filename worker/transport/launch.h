#pragma once
// Who am I: rank, host, launcher, and whether the launch makes sense. main() makes one MpiSession before anything else:
// a std::optional outside its try block, filled inside, so that it outlives all that talks. Deciding (environment in,
// verdict out) is apart from asking the system, so that every launcher's case is tested without it. Throws ConfigError
// (78) with the command that would be right.

#include <optional>
#include <string>
#include <vector>

#include "common/errors.h"
#include "common/host.h"

namespace trireme {

class Transport;

struct Launch {
  int rank = 0, size = 1;
  int local_rank = 0, local_size = 1;  // among the ranks of this host
  std::string host = "localhost";
  std::string launcher = "none";  // none | mpirun | srun | pmix
  bool mpi = false;               // MPI is up: false only for rank 0 of 1 without a launcher
  int cpu_count = 1;              // CPUs this rank may run on
  int host_cpus = 1;
};

/// What the environment says of the launcher, before MPI is started.
struct Launcher {
  std::string name;   // as Launch::launcher, or srun-without-pmix | hydra | torchrun: no MPI to be had from these
  int processes = 1;  // started side by side, as far as the launcher says
  bool has_mpi = false;
};
Launcher recognise_launcher(const Environment& environment);

/// Refuses N processes that would each think they are rank 0 of 1. `mpi_size`: what MPI says, 1 when it was not
/// started. `allow_singleton`: the user wants exactly that.
void refuse_singletons(const Launcher& launcher, int mpi_size, bool allow_singleton);

/// A line to warn with when this rank is bound to fewer CPUs than its share of the host and has work for more:
/// `threads` of the job, and one for the writers or the GPU. Names the flag to use.
std::optional<std::string> binding_advice(const Launch& launch, int threads);

/// MPI for the life of the process; without a launcher nothing is started. Destruction is collective; it is left out
/// when an exception is on its way, since the others are not coming.
class MpiSession {
 public:
  explicit MpiSession(bool allow_singleton);
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  const Launch& launch() const { return launch_; }

 private:
  Launch launch_;
};

/// Ends every rank of the job with `code`, at once, and this one within 5 s in any case; any thread may call it.
[[noreturn]] void abort_job(ExitCode code);

/// Collective: `mine` (such as the hashes of program and job file) must be equal on every rank. Throws ConfigError on
/// all ranks, naming those that differ from rank 0. `what`: "program or job file".
void require_equal(Transport& transport, const std::string& what, const std::string& mine);
/// The line of that error, or nothing; `values` in rank order.
std::optional<std::string> describe_difference(const std::string& what, const std::vector<std::string>& values);

}  // namespace trireme
