#pragma once
// trireme-worker --doctor [JOB.yaml]: looks at every rank of a launch, tries the links, the output folder and the
// checkpoint, and says what to change. Collective.

#include "worker/arguments.h"
#include "worker/transport/launch.h"

namespace trireme {

/// Prints on rank 0. ok, or unavailable when a job started like this would end.
ExitCode run_doctor(const Arguments& arguments, const Launch& launch);

}  // namespace trireme
