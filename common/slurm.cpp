#include "common/slurm.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>
#include <vector>

#include "common/command_output.h"
#include "common/errors.h"

namespace trireme::slurm {
namespace {

std::string value(const Environment& environment, const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

std::optional<long> whole(std::string_view text) {
  long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

int number(const Environment& environment, const char* name, int fallback) {
  return static_cast<int>(whole(value(environment, name)).value_or(fallback));
}

/// "2", "h200:2", "a100:1,h200:2".
int count_of_gpus(const std::string& text) {
  long sum = 0;
  std::istringstream kinds(text);
  for (std::string kind; std::getline(kinds, kind, ',');)
    sum += whole(std::string_view(kind).substr(kind.rfind(':') + 1)).value_or(0);
  return static_cast<int>(sum);
}

}  // namespace

bool in_step(const Environment& environment) {
  // The batch script and the interactive shell are steps too, with ids from this one up.
  constexpr long kFirstSpecialStep = 0xfffffff0;
  const auto step = whole(value(environment, "SLURM_STEP_ID"));
  return step && *step < kFirstSpecialStep;
}

std::optional<Allocation> allocation(const Environment& environment) {
  if (!environment.contains("SLURM_JOB_ID")) return std::nullopt;
  Allocation found;
  found.job = value(environment, "SLURM_JOB_ID");
  found.nodes = number(environment, "SLURM_JOB_NUM_NODES", 1);
  found.tasks = number(environment, "SLURM_NTASKS", 0);
  found.gpus_per_node = count_of_gpus(value(environment, "SLURM_GPUS_PER_NODE"));
  if (found.gpus_per_node == 0) found.gpus_per_node = number(environment, "SLURM_GPUS_ON_NODE", 0);
  found.cpus_per_task = number(environment, "SLURM_CPUS_PER_TASK", 0);
  found.pmix_fence = value(environment, "SLURM_PMIX_FENCE");
  found.in_step = in_step(environment);
  if (found.in_step) found.step_tasks = number(environment, "SLURM_STEP_NUM_TASKS", 1);
  return found;
}

std::optional<ArrayTask> array_task(const Environment& environment) {
  const auto id = whole(value(environment, "SLURM_ARRAY_TASK_ID"));
  const int count = number(environment, "SLURM_ARRAY_TASK_COUNT", 1);
  if (!id || count <= 1) return std::nullopt;
  const int first = number(environment, "SLURM_ARRAY_TASK_MIN", 0),
            last = number(environment, "SLURM_ARRAY_TASK_MAX", 0);
  const int step = std::max(1, number(environment, "SLURM_ARRAY_TASK_STEP", 1));
  const int index = (static_cast<int>(*id) - first) / step;
  if ((last - first) / step + 1 != count || first + index * step != *id) {
    throw ConfigError("the ids of this array job have gaps (" + std::to_string(count) + " ids from " +
                      std::to_string(first) + " to " + std::to_string(last) +
                      "), so this task's share is not known: --shard i/n says it");
  }
  return ArrayTask{index, count};
}

std::optional<double> parse_time_left(const std::string& text) {
  std::string clock = text.substr(0, text.find_last_not_of(" \n") + 1);
  double days = 0;
  if (const std::size_t dash = clock.find('-'); dash != std::string::npos) {
    const auto whole_days = whole(clock.substr(0, dash));
    if (!whole_days) return std::nullopt;
    days = static_cast<double>(*whole_days);
    clock = clock.substr(dash + 1);
  }
  double seconds = 0;
  std::istringstream fields(clock);
  int count = 0;
  for (std::string field; std::getline(fields, field, ':'); ++count) {
    const auto part = whole(field);
    if (!part || *part < 0) return std::nullopt;
    seconds = seconds * 60 + static_cast<double>(*part);
  }
  if (count < 2 || count > 3) return std::nullopt;
  return days * 86'400 + seconds;
}

std::optional<double> seconds_left(const Environment& environment, std::int64_t now) {
  const std::string job = value(environment, "SLURM_JOB_ID");
  if (job.empty()) return std::nullopt;
  // Newer Slurm says it in the environment.
  if (const auto end = whole(value(environment, "SLURM_JOB_END_TIME"))) {
    return static_cast<double>(*end - now);
  }
  const auto answer = output_of({"squeue", "-h", "-j", job, "-o", "%L"});
  return answer ? parse_time_left(*answer) : std::nullopt;
}

bool srun_has_pmix() {
  // Slurm 22 prints the list on stderr.
  const auto list = output_of({"sh", "-c", "srun --mpi=list 2>&1"});
  return list && list->find("pmix") != std::string::npos;
}

}  // namespace trireme::slurm
