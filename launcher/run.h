#pragma once
// trireme run JOB -n N: composes the mpirun or srun line, supervises it, restarts with resume, explains the exit code.

#include <CLI/App.hpp>

#include "common/errors.h"
#include "launcher/supervise.h"

namespace trireme {

void add_run(CLI::App& app);

/// What `trireme run` ends with: a documented code as it is. What only a launcher or a signal gives becomes
/// stopped_early (killed, or asked to stop), internal (crashed) or unavailable (the launcher could not start the job).
ExitCode exit_code_of(const Outcome& outcome);

/// Whether running the same command again may help: the job was stopped or killed, and nobody asked it to stop. Bad
/// input, bad settings and finished jobs are not run again.
bool worth_restarting(int code, bool asked_to_stop);

}  // namespace trireme
