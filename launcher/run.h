#pragma once
// trireme run JOB -n N: composes the mpirun or srun line, supervises it, restarts with resume, explains the exit code.

#include <CLI/App.hpp>

namespace trireme {

void add_run(CLI::App& app);

/// Whether running the same command again may help: the job was stopped or killed, and nobody asked it to stop. Bad
/// input, bad settings and finished jobs are not run again.
bool worth_restarting(int code, bool asked_to_stop);

}  // namespace trireme
