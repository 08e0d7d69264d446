#include "worker/arguments.h"

#include <CLI/CLI.hpp>

#include "common/errors.h"
#include "worker/library_versions.h"

namespace trireme {

std::optional<Arguments> read_arguments(int argc, char** argv, int& exit_code) {
  Arguments arguments;
  CLI::App app("Trireme's MPI program: one rank a GPU. Usually started by `trireme run` or mpirun.", "trireme-worker");
  app.set_version_flag("--version", version_text);
  auto* job = app.add_option("job", arguments.job, "job file (YAML)");
  app.add_option("--set", arguments.overrides, "a.b=c: override a key of the job file; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--shard", arguments.shard,
                 "i/n: this job's share of the input (default: that of a Slurm array task)");
  app.add_option("--progress", arguments.progress, "auto, bar, lines or none")
      ->check(CLI::IsMember({"auto", "bar", "lines", "none"}));
  auto* doctor = app.add_flag("--doctor", arguments.doctor, "look at the launch, the links and the folders, then stop");
  app.add_flag("--json", arguments.json, "with --doctor: as JSON")->needs(doctor);
  app.add_flag("--fresh", arguments.fresh, "start over: drop the results in the run directory");
  app.add_flag("--trace", arguments.trace, "write trace.json and timeline.svg into the run directory at the end");
  app.add_flag("--dry-run", arguments.dry_run, "check job file, prompts and checkpoint folder, print the job, stop");
  app.add_flag("--allow-singleton", arguments.allow_singleton, "N separate jobs of one rank are wanted");
  try {
    app.parse(argc, argv);
    if (arguments.job.empty() && !arguments.doctor) throw CLI::RequiredError(job->get_name());
  } catch (const CLI::ParseError& e) {
    const bool help = e.get_exit_code() == 0;
    app.exit(e);
    exit_code = help ? 0 : static_cast<int>(ExitCode::usage);
    return std::nullopt;
  }
  return arguments;
}

}  // namespace trireme
