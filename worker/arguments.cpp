#include "worker/arguments.h"

#include <CLI/CLI.hpp>

#include "common/errors.h"

namespace trireme {

std::optional<Arguments> read_arguments(int argc, char** argv, int& exit_code) {
  Arguments arguments;
  CLI::App app("Trireme's MPI program: one rank a GPU. Usually started by `trireme run` or mpirun.", "trireme-worker");
  app.set_version_flag("--version", TRIREME_VERSION);
  app.add_option("job", arguments.job, "job file (YAML)")->required();
  app.add_option("--set", arguments.overrides, "a.b=c: override a key of the job file; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--shard", arguments.shard,
                 "i/n: this job's share of the input (default: that of a Slurm array task)");
  app.add_option("--progress", arguments.progress, "auto, bar, lines or none")
      ->check(CLI::IsMember({"auto", "bar", "lines", "none"}));
  app.add_flag("--fresh", arguments.fresh, "start over: drop the results in the run directory");
  app.add_flag("--dry-run", arguments.dry_run, "check job file, prompts and checkpoint folder, print the job, stop");
  app.add_flag("--allow-singleton", arguments.allow_singleton, "N separate jobs of one rank are wanted");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const bool help = e.get_exit_code() == 0;
    app.exit(e);
    exit_code = help ? 0 : static_cast<int>(ExitCode::usage);
    return std::nullopt;
  }
  return arguments;
}

}  // namespace trireme
