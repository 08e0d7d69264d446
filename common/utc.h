#pragma once
// The time of day as the project's files write it.

#include <string>

namespace trireme {

/// "2026-01-31T23:59:59Z"
std::string utc_now();

}  // namespace trireme
