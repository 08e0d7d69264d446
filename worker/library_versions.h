#pragma once
// The libraries under the worker. Any rank; needs neither a GPU nor MPI to be up; nothing fails.

#include <string>
#include <vector>

#include "common/library_versions.h"

namespace trireme {

/// Of what the worker stands on beside common/.
std::vector<LibraryVersion> library_versions();

/// What --version prints.
std::string version_text();

// One each, for the list above; MPI and NCCL are seen by transport/ only.
LibraryVersion mpi_version();
LibraryVersion nccl_version();

}  // namespace trireme
