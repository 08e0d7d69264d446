#pragma once
// The main path of a rank, on one screen.

#include "common/errors.h"
#include "common/start_up.h"
#include "worker/arguments.h"
#include "worker/transport/launch.h"

namespace trireme {

/// Collective. Returns the same code on every rank; rank 0 decides it. `start_up`: of this process so far.
ExitCode run_job(const Arguments& arguments, const Launch& launch, StartUp start_up);

}  // namespace trireme
