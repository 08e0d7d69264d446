#include "launcher/launch_line.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "common/errors.h"
#include "common/host.h"

namespace trireme {
namespace {

bool on_path(const char* program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (!folder.empty() && access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("-_./=:,+@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return word;
  std::string out = "'";
  for (char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace

LaunchLine compose_launch(const LaunchRequest& request, const Machine& machine) {
  LaunchLine line;
  const std::string ranks = std::to_string(request.ranks);
  if (machine.slurm && request.hosts.empty()) {
    // -K: one dead task ends the step; --wait: so does one that left before the others.
    line.words = {"srun", "--mpi=pmix", "-n", ranks, "--kill-on-bad-exit=1", "--wait=30"};
  } else if (request.ranks > 1 || !request.hosts.empty()) {
    if (machine.mpirun.empty()) {
      throw Error(ExitCode::unavailable,
                  "mpirun is not on the PATH; install Open MPI (openmpi-bin) or load its module, or use -n 1");
    }
    line.words = {machine.mpirun, "-n", ranks, "--bind-to", "none"};
    if (!request.hosts.empty()) {
      line.words.insert(line.words.end(), {"--host", request.hosts});
    } else if (request.ranks > machine.cores) {
      line.words.insert(line.words.end(), {"--oversubscribe", "--mca", "mpi_yield_when_idle", "1"});
    }
    line.environment = {{"OMPI_MCA_oob_tcp_keepalive_time", "10"},
                        {"OMPI_MCA_oob_tcp_keepalive_intvl", "5"},
                        {"OMPI_MCA_oob_tcp_keepalive_probes", "3"}};
    if (machine.root) {
      line.environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1";
      line.environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1";
    }
  }
  line.words.push_back(request.worker);
  line.words.insert(line.words.end(), request.arguments.begin(), request.arguments.end());
  return line;
}

Machine look_at_machine() {
  Machine machine;
  machine.cores = usable_cpus();
  machine.root = geteuid() == 0;
  machine.slurm = std::getenv("SLURM_JOB_ID") != nullptr && on_path("srun");
  if (on_path("mpirun")) {
    machine.mpirun = "mpirun";
  } else if (access(TRIREME_MPIRUN, X_OK) == 0) {
    machine.mpirun = TRIREME_MPIRUN;
  }
  return machine;
}

std::string to_shell(const LaunchLine& line) {
  std::string text;
  for (const auto& [key, value] : line.environment) text += key + "=" + quoted(value) + " ";
  for (const std::string& word : line.words) text += quoted(word) + " ";
  text.pop_back();
  return text;
}

}  // namespace trireme
