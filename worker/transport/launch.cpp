#include "worker/transport/launch.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "common/host.h"
#include "common/slurm.h"
#include "worker/transport/mpi_handles.h"
#include "worker/transport/transport.h"

namespace trireme {
namespace {

constexpr std::chrono::seconds kAbortPatience(5);

bool has(const Environment& environment, const char* name) { return environment.contains(name); }

/// The first of `names` that holds a number; 1 if none does.
int number(const Environment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto found = environment.find(name);
    if (found == environment.end()) continue;
    const std::string& text = found->second;
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
  }
  return 1;
}

}  // namespace

Launcher recognise_launcher(const Environment& environment) {
  // mpirun inside a batch job: SLURM_* are inherited and the same on every rank, so Open MPI's word comes first.
  if (has(environment, "OMPI_COMM_WORLD_SIZE")) return {"mpirun", number(environment, {"OMPI_COMM_WORLD_SIZE"}), true};
  if (slurm::in_step(environment)) {
    const bool pmix = has(environment, "PMIX_RANK");
    const int tasks = number(environment, {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"});
    return {pmix ? "srun" : "srun-without-pmix", tasks, pmix};
  }
  if (has(environment, "PMIX_RANK")) return {"pmix", 1, true};
  if (has(environment, "PMI_RANK")) return {"hydra", number(environment, {"PMI_SIZE"}), false};
  if (has(environment, "TORCHELASTIC_RUN_ID") || (has(environment, "LOCAL_RANK") && has(environment, "MASTER_ADDR"))) {
    return {"torchrun", number(environment, {"WORLD_SIZE"}), false};
  }
  return {"none", 1, false};
}

void refuse_singletons(const Launcher& launcher, int mpi_size, bool allow_singleton) {
  if (allow_singleton || mpi_size >= launcher.processes) return;
  const std::string n = std::to_string(launcher.processes);
  const auto refuse = [](const std::string& what) {
    throw ConfigError(what + "; --allow-singleton if separate runs are what you want");
  };
  if (launcher.name == "torchrun") {
    refuse("started by torchrun or accelerate, which this program doesn't use: mpirun -n " + n + " trireme-worker …");
  }
  if (launcher.name == "hydra") {
    refuse("started by the mpiexec of another MPI, each of its " + n +
           " processes would be rank 0 of 1: use Open MPI's mpirun -n " + n + " trireme-worker …");
  }
  refuse(n + " processes were started, MPI sees " + std::to_string(mpi_size) + ": use srun --mpi=pmix -n " + n +
         " trireme-worker … or mpirun -n " + n + " trireme-worker …");
}

std::optional<std::string> binding_advice(const Launch& launch, int threads) {
  const int wanted = threads + 1;
  const int share = launch.host_cpus / launch.local_size;
  if (launch.cpu_count >= std::min(wanted, share)) return std::nullopt;
  const std::string cpus = std::to_string(std::min(wanted, share));
  return "this rank may use " + std::to_string(launch.cpu_count) + " of " + std::to_string(launch.host_cpus) +
         " CPUs and has work for " + std::to_string(wanted) + ": " +
         (launch.launcher == "srun"
              ? "srun --cpus-per-task=" + cpus
              : "mpirun --bind-to none, or --map-by ppr:" + std::to_string(launch.local_size) + ":node:PE=" + cpus);
}

MpiSession::MpiSession(bool allow_singleton) {
  const Launcher launcher = recognise_launcher(environment());
  launch_.host = host_name();
  launch_.cpu_count = usable_cpus();
  launch_.host_cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  if (!launcher.has_mpi) {
    refuse_singletons(launcher, 1, allow_singleton);
    return;
  }
  int level = 0;
  mpi::check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &level), "starting MPI");
  mpi::check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "starting MPI");
  mpi::check(MPI_Comm_rank(MPI_COMM_WORLD, &launch_.rank), "starting MPI");
  mpi::check(MPI_Comm_size(MPI_COMM_WORLD, &launch_.size), "starting MPI");
  refuse_singletons(launcher, launch_.size, allow_singleton);
  MPI_Comm host;
  mpi::check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, launch_.rank, MPI_INFO_NULL, &host),
             "finding the ranks of this host");
  mpi::check(MPI_Comm_rank(host, &launch_.local_rank), "finding the ranks of this host");
  mpi::check(MPI_Comm_size(host, &launch_.local_size), "finding the ranks of this host");
  mpi::check(MPI_Comm_free(&host), "finding the ranks of this host");
  launch_.launcher = launcher.name;
  launch_.mpi = true;
}

MpiSession::~MpiSession() {
  if (launch_.mpi && std::uncaught_exceptions() == 0) MPI_Finalize();
}

void abort_job(ExitCode code) {
  int up = 0, down = 0;
  MPI_Initialized(&up);
  MPI_Finalized(&down);
  if (up && !down) {
    // MPI_Abort asks the launcher's daemon of this host, which may be cut off from the others and never answer.
    std::thread([code] {
      std::this_thread::sleep_for(kAbortPatience);
      _exit(static_cast<int>(code));
    }).detach();
    MPI_Abort(MPI_COMM_WORLD, static_cast<int>(code));
  }
  _exit(static_cast<int>(code));
}

std::optional<std::string> describe_difference(const std::string& what, const std::vector<std::string>& values) {
  std::string ranks;
  int count = 0;
  for (std::size_t rank = 1; rank < values.size(); ++rank) {
    if (values[rank] == values[0]) continue;
    ranks += (ranks.empty() ? "" : ", ") + std::to_string(rank);
    ++count;
  }
  if (count == 0) return std::nullopt;
  return what + (count == 1 ? " of rank " : " of ranks ") + ranks + (count == 1 ? " differs" : " differ") +
         " from rank 0's: start the same program with the same files on every host";
}

void require_equal(Transport& transport, const std::string& what, const std::string& mine) {
  std::vector<std::string> values;
  for (const Bytes& body : transport.gather(to_bytes(mine), 0)) values.emplace_back(as_text(body));
  const Bytes difference = transport.broadcast(to_bytes(describe_difference(what, values).value_or("")), 0);
  if (!difference.empty()) throw ConfigError(std::string(as_text(difference)));
}

}  // namespace trireme
