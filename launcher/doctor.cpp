#include "launcher/doctor.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "common/host.h"
#include "launcher/launch_line.h"
#include "launcher/run.h"
#include "launcher/worker_path.h"

namespace trireme {
namespace {

struct DoctorOptions {
  std::string job, hosts;
  int ranks = 0;
  std::vector<std::string> overrides;
  bool json = false, dry_run = false;
};

int run(const DoctorOptions& options) {
  refuse_several_launchers(environment());
  LaunchRequest request{worker_beside_us(), options.ranks, options.hosts, {"--doctor"}};
  if (!options.job.empty()) request.arguments.push_back(options.job);
  for (const std::string& o : options.overrides) request.arguments.insert(request.arguments.end(), {"--set", o});
  if (options.json) request.arguments.push_back("--json");
  const LaunchLine line = compose_launch(request, look_at_machine());
  if (options.dry_run) {
    std::printf("%s\n", to_shell(line).c_str());
    return 0;
  }
  std::fprintf(stderr, "# %s\n", to_shell(line).c_str());
  const Outcome outcome = supervise(line);
  const ExitCode code = exit_code_of(outcome);
  if (code != ExitCode::ok && code != ExitCode::unavailable) {
    std::fprintf(stderr,
                 "trireme: the ranks did not start or did not end in order (code %d): the lines above say why\n",
                 outcome.code);
  }
  return static_cast<int>(code);
}

}  // namespace

void add_doctor(CLI::App& app) {
  auto* command = app.add_subcommand("doctor", "look at hosts, GPUs, links and folders, and say what to change");
  auto options = std::make_shared<DoctorOptions>();
  command->add_option("job", options->job, "job file: its output folder and checkpoint are looked at too");
  command->add_option("-n,--ranks", options->ranks, "ranks, as for run")->check(CLI::Range(1, 100000));
  command->add_option("--hosts", options->hosts, "hosts with their ranks: h0:2,h1:2, or a hostfile of mpirun");
  command->add_option("--set", options->overrides, "a.b=c: override a key of the job file")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_flag("--json", options->json, "as JSON on standard output");
  command->add_flag("--dry-run", options->dry_run, "print the command line and stop");
  command->callback([options] {
    const int code = run(*options);
    if (code != 0) throw CLI::RuntimeError(code);
  });
}

}  // namespace trireme
