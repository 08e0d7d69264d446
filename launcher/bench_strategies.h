#pragma once
// trireme bench strategies JOB -n N: the same prompts on one rank and in every way that N ranks can share them, as one
// table and a chart: what each costs and wins, beside what was predicted.

#include <CLI/App.hpp>
#include <filesystem>
#include <string>
#include <vector>

namespace trireme {

/// One run of the job, from its summary.json.
struct StrategyRow {
  int ranks = 1, stages = 1;
  std::string unit = "images";                      // or tokens
  double seconds = 0, per_second = 0, latency = 0;  // of the loop; units a second; mean of a unit from begin to end
  double efficiency = 1;                            // against one rank
  double lost_measured = 0, lost_predicted = 0;     // of a pipeline: fill, imbalance and transfer; share of its ranks
  double peak_memory = 0, moved = 0;                // bytes: of the rank that took most; over the carrier in all
  bool equal = true;                                // results are those of one rank
};

/// Throws Error(bad_data) naming the file.
StrategyRow read_row(const std::filesystem::path& run, int ranks, int stages);
/// Markdown.
std::string to_table(const std::vector<StrategyRow>& rows);
/// Bars of efficiency, in SVG.
std::string to_chart(const std::vector<StrategyRow>& rows);

void add_bench(CLI::App& app);

}  // namespace trireme
