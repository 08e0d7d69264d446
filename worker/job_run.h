#pragma once
// The main path of a rank, on one screen.

#include "common/errors.h"
#include "worker/arguments.h"
#include "worker/transport/launch.h"

namespace trireme {

/// Collective. Returns the same code on every rank; rank 0 decides it.
ExitCode run_job(const Arguments& arguments, const Launch& launch);

}  // namespace trireme
