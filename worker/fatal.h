#pragma once
// The one way a rank ends a job that can't go on.

#include <string>

#include "common/errors.h"
#include "worker/transport/launch.h"

namespace trireme {

/// One line on stderr and in the rank's log (cause, and for what is not the user's mistake rank and host), the last
/// word in the rank's log, then MPI_Abort with the code. Any thread.
[[noreturn]] void die(const Launch& launch, ExitCode code, const std::string& cause);

}  // namespace trireme
