#include "launcher/run.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "common/host.h"
#include "common/input_shard.h"
#include "common/job.h"
#include "launcher/launch_line.h"
#include "launcher/worker_path.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

struct RunOptions {
  std::string job;
  int ranks = 0;  // 0: as many as the hosts, the allocation or the GPUs say
  std::string hosts, shard;
  int restarts = 0;
  std::vector<std::string> overrides;
  std::string progress = "auto";
  bool fresh = false, dry_run = false, trace = false;
};

LaunchRequest request_for(const RunOptions& options, bool fresh) {
  LaunchRequest request;
  request.worker = worker_beside_us();
  request.ranks = options.ranks;
  request.hosts = options.hosts;
  request.arguments = {options.job};
  for (const std::string& o : options.overrides) request.arguments.insert(request.arguments.end(), {"--set", o});
  if (fresh) request.arguments.push_back("--fresh");
  if (options.trace) request.arguments.push_back("--trace");
  // The variables of an array job do not reach every host under every launcher.
  if (const auto shard = choose_shard(options.shard)) {
    request.arguments.insert(request.arguments.end(), {"--shard", to_text(*shard)});
  }
  // Read here too, so that a mistake in it is told before anything starts. A pipe can be read once only.
  std::error_code ignored;
  if (fs::is_regular_file(options.job, ignored)) {
    request.stall_seconds = load_job(options.job, options.overrides).limits.stall_timeout_seconds;
  }
  // Under a launcher the worker can't see our terminal, so we look for it.
  const bool bar = options.progress == "auto" && isatty(STDERR_FILENO) == 1;
  if (bar || options.progress != "auto") {
    request.arguments.insert(request.arguments.end(), {"--progress", bar ? "bar" : options.progress});
  }
  return request;
}

int run(const RunOptions& options) {
  refuse_several_launchers(environment());
  const Machine machine = look_at_machine();
  if (options.dry_run) {
    std::printf("%s\n", to_shell(compose_launch(request_for(options, options.fresh), machine)).c_str());
    return 0;
  }
  for (int attempt = 0;; ++attempt) {
    const LaunchLine line = compose_launch(request_for(options, options.fresh && attempt == 0), machine);
    const Outcome outcome = supervise(line);
    const ExitCode code = exit_code_of(outcome);
    if (code != ExitCode::ok) {
      const std::string raw = std::to_string(outcome.code), program = fs::path(line.words[0]).filename().string();
      const std::string also =
          static_cast<int>(code) == outcome.code ? "" : " (" + program + " ended with " + raw + ")";
      std::fprintf(stderr, "trireme: exit code %d: %s%s\n", static_cast<int>(code), explain(code), also.c_str());
    }
    if (!worth_restarting(outcome.code, outcome.asked_to_stop) || attempt == options.restarts) {
      return static_cast<int>(code);
    }
    std::fprintf(stderr, "trireme: restart %d of %d, finished items are kept\n", attempt + 1, options.restarts);
  }
}

}  // namespace

ExitCode exit_code_of(const Outcome& outcome) {
  const ExitCode code{outcome.code};
  switch (code) {
    case ExitCode::ok:
    case ExitCode::some_items_failed:
    case ExitCode::usage:
    case ExitCode::bad_data:
    case ExitCode::input_missing:
    case ExitCode::unavailable:
    case ExitCode::internal:
    case ExitCode::cannot_create:
    case ExitCode::io_error:
    case ExitCode::stopped_early:
    case ExitCode::config: return code;
  }
  if (outcome.asked_to_stop) return ExitCode::stopped_early;
  switch (outcome.code) {
    case 128 + SIGSEGV:
    case 128 + SIGBUS:
    case 128 + SIGABRT:
    case 128 + SIGFPE: return ExitCode::internal;
    case 1:    // mpirun: no slots, no such option
    case 126:  // a shell: not to be executed
    case 127:  // a library is missing
    case 213:
    case 243:                                // mpirun: something it needs is missing
    case 255: return ExitCode::unavailable;  // ssh
    default: return ExitCode::stopped_early;
  }
}

bool worth_restarting(int code, bool asked_to_stop) {
  if (asked_to_stop) return false;
  switch (static_cast<ExitCode>(code)) {
    case ExitCode::ok:
    case ExitCode::some_items_failed:
    case ExitCode::usage:
    case ExitCode::bad_data:
    case ExitCode::input_missing:
    case ExitCode::unavailable:
    case ExitCode::cannot_create:
    case ExitCode::config: return false;
    case ExitCode::internal:
    case ExitCode::io_error:
    case ExitCode::stopped_early: return true;
  }
  return true;  // killed, or ended by the launcher
}

void add_run(CLI::App& app) {
  auto* command = app.add_subcommand("run", "run a job on N ranks; the same command again resumes it");
  auto options = std::make_shared<RunOptions>();
  command->add_option("job", options->job, "job file")->required();
  command
      ->add_option("-n,--ranks", options->ranks,
                   "ranks, one a GPU (default: as many as the hosts, the Slurm allocation or this machine's GPUs say)")
      ->check(CLI::Range(1, 100000));
  command->add_option("--hosts", options->hosts, "hosts with their ranks: h0:2,h1:2, or a hostfile of mpirun");
  command->add_option("--shard", options->shard, "i/n: this job's share of the input (default: of an array task)");
  command->add_option("--restarts", options->restarts, "times to run again after a crash or a stall")
      ->check(CLI::Range(0, 1000));
  command->add_option("--set", options->overrides, "a.b=c: override a key of the job file")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--progress", options->progress, "auto, bar, lines or none")
      ->check(CLI::IsMember({"auto", "bar", "lines", "none"}));
  command->add_flag("--fresh", options->fresh, "start over: drops the results in the run directory");
  command->add_flag("--trace", options->trace, "write trace.json and timeline.svg into the run directory at the end");
  command->add_flag("--dry-run", options->dry_run, "print the command line and stop");
  command->callback([options] {
    const int code = run(*options);
    if (code != 0) throw CLI::RuntimeError(code);
  });
}

}  // namespace trireme
