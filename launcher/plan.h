#pragma once
// trireme plan JOB -n N: every way to spread a job over N ranks, with memory, speed and losses, and which to choose.
// Needs no GPU: it counts from the sizes of the checkpoint, and from what an earlier run of the job measured.

#include <CLI/App.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/job.h"
#include "common/strategies.h"

namespace trireme {

struct PlanOptions {
  std::filesystem::path job;
  int ranks = 1;
  std::vector<std::string> overrides;
  std::string device;                             // empty: that of the measured run, else an H100
  double memory_gib = 0;                          // of a rank; 0: the device's
  std::optional<std::filesystem::path> measured;  // a run directory; none: output.directory
  bool json = false;
};

struct PlanResult {
  std::string device;
  bool measured = false;  // rates are those of an earlier run
  StrategyInput input;
  std::vector<Strategy> all;
};

PlanResult make_plan(const PlanOptions& options);
/// A table and what to choose; or JSON, the same numbers.
std::string to_text(const PlanResult& plan);
std::string to_json(const PlanResult& plan);

void add_plan(CLI::App& app);

}  // namespace trireme
