#include "launcher/bench_strategies.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "common/checkpoint.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/job.h"
#include "common/model_shape.h"
#include "common/print.h"
#include "common/summary.h"
#include "common/unit_cost.h"
#include "launcher/bench_image.h"
#include "launcher/launch_line.h"
#include "launcher/run.h"
#include "launcher/verify.h"
#include "launcher/worker_path.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

struct BenchOptions {
  std::string job;
  int ranks = 1;
  std::vector<int> stages;  // empty: all that divide the ranks
  std::vector<std::string> overrides;
  bool trace = false;
};

std::string name_of(const StrategyRow& row) {
  const int replicas = row.ranks / row.stages;
  if (row.ranks == 1) return "one rank";
  if (row.stages == 1) return "DP " + std::to_string(replicas);
  if (replicas == 1) return "PP " + std::to_string(row.stages);
  return "DP " + std::to_string(replicas) + " x PP " + std::to_string(row.stages);
}

/// Runs the job once from the start, in `folder`.
void run_once(const BenchOptions& options, int ranks, int stages, const fs::path& folder) {
  LaunchRequest request;
  request.worker = worker_beside_us();
  request.ranks = ranks;
  request.arguments = {options.job, "--fresh", "--progress", "none"};
  for (const std::string& o : options.overrides) request.arguments.insert(request.arguments.end(), {"--set", o});
  request.arguments.insert(request.arguments.end(), {"--set", "parallel.stages=" + std::to_string(stages), "--set",
                                                     "output.directory=" + folder.string()});
  if (options.trace) request.arguments.push_back("--trace");
  const Outcome outcome = supervise(compose_launch(request, look_at_machine()));
  const ExitCode code = exit_code_of(outcome);
  if (code == ExitCode::ok || code == ExitCode::some_items_failed) return;
  throw Error(code, "the run with " + std::to_string(stages) + " stages on " + std::to_string(ranks) +
                        " ranks failed, see above");
}

bool same_results(const fs::path& a, const fs::path& b) { return compare({a, b}).differences.empty(); }

std::vector<int> stages_to_try(const BenchOptions& options, const Job& job) {
  if (!options.stages.empty()) return options.stages;
  const ModelShape shape = read_model_shape(inspect(job).family, job.model.path, job.model.dtype.value_or("bfloat16"));
  std::vector<int> stages;
  for (int count = 1; count <= std::min(options.ranks, layers_of(shape)); ++count) {
    if (options.ranks % count == 0) stages.push_back(count);
  }
  return stages;
}

int bench(const BenchOptions& options) {
  const Job job = load_job(options.job, options.overrides);
  const fs::path folder = job.output.directory / "strategies";
  const fs::path one = folder / "n1";
  run_once(options, 1, 1, one);
  std::vector<StrategyRow> rows{read_row(one, 1, 1)};
  for (const int stages : stages_to_try(options, job)) {
    if (options.ranks == 1) break;
    const fs::path run = folder / ("n" + std::to_string(options.ranks) + "s" + std::to_string(stages));
    run_once(options, options.ranks, stages, run);
    StrategyRow row = read_row(run, options.ranks, stages);
    row.efficiency = row.per_second / (options.ranks * rows.front().per_second);
    row.equal = same_results(one, run);
    rows.push_back(row);
  }
  write_file(folder / "table.md", to_table(rows));
  write_file(folder / "chart.svg", to_chart(rows));
  std::printf("%s\n%s and %s hold the table and the chart\n", to_table(rows).c_str(), (folder / "table.md").c_str(),
              (folder / "chart.svg").c_str());
  const bool equal = std::all_of(rows.begin(), rows.end(), [](const StrategyRow& row) { return row.equal; });
  return static_cast<int>(equal ? ExitCode::ok : ExitCode::bad_data);
}

}  // namespace

StrategyRow read_row(const fs::path& run, int ranks, int stages) {
  const Summary summary = read_summary(run / "summary.json");
  StrategyRow row;
  row.ranks = ranks;
  row.stages = stages;
  row.unit = summary.text ? "tokens" : "images";
  row.per_second = summary.text ? summary.tokens_per_second() : summary.items_per_second();
  row.seconds = summary.seconds;
  row.latency = summary.latency_seconds;
  for (const RankSummary& rank : summary.ranks) {
    row.peak_memory = std::max(row.peak_memory, static_cast<double>(rank.peak_memory_bytes));
    row.moved += static_cast<double>(rank.carrier_bytes);
  }
  if (!summary.pipeline) return row;
  row.lost_measured = summary.pipeline->measured.sum();
  row.lost_predicted = summary.pipeline->predicted.sum();
  return row;
}

std::string to_table(const std::vector<StrategyRow>& rows) {
  const std::string unit = rows.empty() ? "images" : rows.front().unit;
  std::string text =
      "| strategy | ranks | " + unit +
      "/s | seconds | latency s | efficiency | lost % | predicted % | peak MiB/rank | moved MB | results |\n"
      "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n";
  for (const StrategyRow& row : rows) {
    const std::string lost = row.stages == 1 ? "" : print("%.1f", 100 * row.lost_measured);
    const std::string predicted = row.stages == 1 ? "" : print("%.1f", 100 * row.lost_predicted);
    text += print("| %s | %d | %.3f | %.3f | %.3f | %.3f | %s | %s | %.0f | %.2f | %s |\n", name_of(row).c_str(),
                  row.ranks, row.per_second, row.seconds, row.latency, row.efficiency, lost.c_str(), predicted.c_str(),
                  row.peak_memory / (1 << 20), row.moved / 1e6, row.equal ? "equal" : "DIFFERENT");
  }
  return text;
}

std::string to_chart(const std::vector<StrategyRow>& rows) {
  constexpr double kBar = 22, kLeft = 130, kWidth = 420;
  const std::string unit = rows.empty() ? "images" : rows.front().unit;
  double most = 1e-9;
  for (const StrategyRow& row : rows) most = std::max(most, row.per_second);
  std::string svg = print(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" "
      "fill=\"white\"/>\n<text x=\"8\" y=\"18\">%s a second (efficiency against one rank)</text>\n",
      kLeft + kWidth + 150, 40 + kBar * static_cast<double>(rows.size()), unit.c_str());
  double y = 30;
  for (const StrategyRow& row : rows) {
    const double width = row.per_second / most * kWidth;
    svg += print(
        "<text x=\"8\" y=\"%.0f\">%s</text><rect x=\"%.0f\" y=\"%.0f\" width=\"%.1f\" height=\"%.0f\" "
        "fill=\"%s\"/><text x=\"%.1f\" y=\"%.0f\">%.3f (%.3f)</text>\n",
        y + 14, name_of(row).c_str(), kLeft, y, width, kBar - 5, row.stages == 1 ? "#4878a8" : "#a85848",
        kLeft + width + 6, y + 14, row.per_second, row.efficiency);
    y += kBar;
  }
  return svg + "</svg>\n";
}

void add_bench(CLI::App& app) {
  CLI::App* command = app.add_subcommand("bench", "measure a job in several ways");
  command->require_subcommand(1);
  add_bench_image(*command);
  CLI::App* strategies = command->add_subcommand(
      "strategies",
      "the same prompts as replicas, as a pipeline and as both: one table, in output.directory/strategies");
  const auto options = std::make_shared<BenchOptions>();
  strategies->add_option("job", options->job, "job file")->required();
  strategies->add_option("-n,--ranks", options->ranks, "ranks")->required()->check(CLI::Range(1, 1024));
  strategies
      ->add_option("--stages", options->stages, "numbers of stages to try, as 1,2,4 (default: all that divide -n)")
      ->delimiter(',');
  strategies->add_option("--set", options->overrides, "a.b=c: override a key of the job file")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  strategies->add_flag("--trace", options->trace, "a timeline of each run");
  strategies->callback([options] {
    const int code = bench(*options);
    if (code != 0) throw CLI::RuntimeError(code);
  });
}

}  // namespace trireme
