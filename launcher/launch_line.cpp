#include "launcher/launch_line.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/command_output.h"
#include "common/errors.h"
#include "common/host.h"
#include "common/utf8.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr int kMostRanks = 100'000;

/// GPUs of this machine by their device files; a login node has none.
int gpu_count() {
  int count = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/dev", ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.size() > 6 && name.starts_with("nvidia") && name.find_first_not_of("0123456789", 6) == std::string::npos)
      ++count;
  }
  return count;
}

bool is_hostfile(const std::string& hosts) {
  std::error_code ignored;
  return fs::is_regular_file(hosts, ignored);
}

/// Of "h0:2,h1": a host without a count has one slot, as mpirun sees it.
int slots_of_list(const std::string& hosts) {
  int slots = 0;
  std::istringstream entries(hosts);
  for (std::string entry; std::getline(entries, entry, ',');) {
    const std::size_t colon = entry.find(':');
    const std::string count = colon == std::string::npos ? "1" : entry.substr(colon + 1);
    int number = 0;
    const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), number);
    const bool counted = error == std::errc() && end == count.data() + count.size() && number > 0;
    if (entry.empty() || colon == 0 || !counted || number > kMostRanks) {
      throw ConfigError("--hosts: '" + printable(entry, 80) +
                            "' is neither HOST nor HOST:RANKS; h0:4,h1:4, or the path of a hostfile",
                        ExitCode::usage);
    }
    slots += number;
  }
  return slots;
}

/// Of mpirun's hostfile: lines "host slots=N", comments after #.
int slots_of_file(const std::string& file) {
  int slots = 0;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string host, word;
    if (!(words >> host)) continue;
    int count = 1;
    while (words >> word) {
      if (word.starts_with("slots=")) count = std::max(1, std::atoi(word.c_str() + 6));
    }
    slots += count;
  }
  return std::max(1, slots);
}

int rounded_up(int ranks, int nodes) { return (ranks + nodes - 1) / nodes; }

void require_mpirun(const Machine& machine) {
  if (!machine.mpirun.empty()) return;
  throw Error(ExitCode::unavailable,
              "mpirun is not on the PATH; install Open MPI (openmpi-bin) or load its module, or use -n 1");
}

void add_mpirun_environment(double stall_seconds, const Machine& machine, LaunchLine& line) {
  line.environment.merge(keep_alive(stall_seconds));
  if (!machine.root) return;
  line.environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1";
  line.environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1";
}

LaunchLine in_allocation(const LaunchRequest& request, int ranks, const Machine& machine) {
  const slurm::Allocation& allocation = *machine.allocation;
  LaunchLine line;
  const int nodes = std::min(allocation.nodes, ranks), per_node = rounded_up(ranks, nodes);
  if (!machine.srun_has_pmix) {
    require_mpirun(machine);
    line.words = mpirun_words(machine.mpirun, ranks, per_node);
    line.words.push_back("--oversubscribe");  // an allocation made without tasks has one slot a node
    add_mpirun_environment(request.stall_seconds, machine, line);
    return line;
  }
  line.words = srun_words(nodes, ranks, per_node);
  if (allocation.pmix_fence.empty()) line.environment["SLURM_PMIX_FENCE"] = kSrunFence;
  // srun has not inherited it since Slurm 22.05.
  if (allocation.cpus_per_task > 0) {
    line.environment["SRUN_CPUS_PER_TASK"] = std::to_string(allocation.cpus_per_task);
  }
  // The step that we are in holds the CPUs, and a second one would wait for them for ever.
  if (allocation.in_step) line.words.push_back("--overlap");
  return line;
}

LaunchLine with_mpirun(const LaunchRequest& request, int ranks, const Machine& machine) {
  require_mpirun(machine);
  LaunchLine line;
  line.words = {machine.mpirun, "-n", std::to_string(ranks), "--bind-to", "none"};
  if (!request.hosts.empty()) {
    line.words.insert(line.words.end(), {is_hostfile(request.hosts) ? "--hostfile" : "--host", request.hosts});
  } else if (ranks > machine.cores) {
    line.words.insert(line.words.end(), {"--oversubscribe", "--mca", "mpi_yield_when_idle", "1"});
  }
  add_mpirun_environment(request.stall_seconds, machine, line);
  return line;
}

}  // namespace

int ranks_of(const LaunchRequest& request, const Machine& machine) {
  int slots = 0;
  if (!request.hosts.empty())
    slots = is_hostfile(request.hosts) ? slots_of_file(request.hosts) : slots_of_list(request.hosts);
  if (request.ranks > 0) return request.ranks;
  if (slots > 0) return slots;
  if (machine.allocation) {
    const slurm::Allocation& allocation = *machine.allocation;
    return allocation.tasks > 0 ? allocation.tasks : allocation.nodes * std::max(1, allocation.gpus_per_node);
  }
  return std::max(1, machine.gpus);
}

std::vector<std::string> srun_words(int nodes, int ranks, int per_node) {
  // -N and --ntasks-per-node: -n alone may put three of four on one node. -K: one dead task ends the step; --wait: so
  // does one that left before the others.
  return {"srun",
          "--mpi=pmix",
          "--nodes=" + std::to_string(nodes),
          "--ntasks=" + std::to_string(ranks),
          "--ntasks-per-node=" + std::to_string(per_node),
          "--kill-on-bad-exit=1",
          "--wait=30"};
}

std::vector<std::string> mpirun_words(const std::string& mpirun, int ranks, int per_node) {
  return {mpirun,      "-n",  std::to_string(ranks), "--map-by", "ppr:" + std::to_string(per_node) + ":node",
          "--bind-to", "none"};
}

std::map<std::string, std::string> keep_alive(double stall_seconds) {
  // First question after `time` s of silence, then one each `interval` s: at most 25 s, else 0.8 of the stall timeout.
  constexpr int kProbes = 3;
  const int time = static_cast<int>(std::clamp(stall_seconds * 0.5, 1.0, 10.0));
  const int interval = static_cast<int>(std::clamp(stall_seconds * 0.1, 1.0, 5.0));
  std::map<std::string, std::string> variables;
  for (const char* prefix : {"OMPI_MCA_", "PRTE_MCA_"}) {
    const std::string start = std::string(prefix) + "oob_tcp_keepalive_";
    variables[start + "time"] = std::to_string(time);
    variables[start + "intvl"] = std::to_string(interval);
    variables[start + "probes"] = std::to_string(kProbes);
  }
  return variables;
}

LaunchLine compose_launch(const LaunchRequest& request, const Machine& machine) {
  const int ranks = ranks_of(request, machine);
  LaunchLine line;
  if (machine.allocation && request.hosts.empty()) {
    line = in_allocation(request, ranks, machine);
  } else if (ranks > 1 || !request.hosts.empty()) {
    line = with_mpirun(request, ranks, machine);
  }
  line.words.push_back(request.worker);
  line.words.insert(line.words.end(), request.arguments.begin(), request.arguments.end());
  return line;
}

Machine look_at_machine() {
  Machine machine;
  machine.cores = usable_cpus();
  machine.gpus = gpu_count();
  machine.root = geteuid() == 0;
  if (on_path("srun")) machine.allocation = slurm::allocation(environment());
  machine.srun_has_pmix = machine.allocation && slurm::srun_has_pmix();
  if (on_path("mpirun")) {
    machine.mpirun = "mpirun";
  } else if (access(TRIREME_MPIRUN, X_OK) == 0) {
    machine.mpirun = TRIREME_MPIRUN;
  }
  return machine;
}

void refuse_several_launchers(const Environment& environment) {
  const auto refuse = [](const std::string& launcher, int count) {
    throw ConfigError(launcher + " has started this command " + std::to_string(count) +
                          " times: start `trireme` once, it starts the ranks; or let " + launcher +
                          " start trireme-worker",
                      ExitCode::usage);
  };
  const auto found = environment.find("OMPI_COMM_WORLD_SIZE");
  if (const int size = found == environment.end() ? 1 : std::atoi(found->second.c_str()); size > 1) {
    refuse("mpirun", size);
  }
  const auto allocation = slurm::allocation(environment);
  if (allocation && allocation->step_tasks > 1) refuse("srun", allocation->step_tasks);
}

std::string to_shell(const LaunchLine& line) {
  std::string text;
  for (const auto& [key, value] : line.environment) text += key + "=" + shell_word(value) + " ";
  for (const std::string& word : line.words) text += shell_word(word) + " ";
  text.pop_back();
  return text;
}

}  // namespace trireme
