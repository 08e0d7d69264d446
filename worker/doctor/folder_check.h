#pragma once
// Whether this rank can write, lock and rename in the output folder, and sees what rank 0 writes there. Leaves nothing
// behind.

#include <filesystem>
#include <string>

#include "worker/transport/transport.h"

namespace trireme::doctor {

/// What is wrong, or empty.
std::string check_writing(const std::filesystem::path& folder, int rank);
/// Collective: rank 0 writes a file that every rank looks for. What is wrong, or empty.
std::string check_sharing(const std::filesystem::path& folder, Transport& transport);

}  // namespace trireme::doctor
