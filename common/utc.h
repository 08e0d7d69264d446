#pragma once
// The time of day as the project's files write it.

#include <string>

namespace trireme {

/// "2026-01-31T23:59:59Z"
std::string utc_now();
/// Seconds since 1970 with a fraction: to compare with other nodes' clocks, never to measure a span of time.
double unix_seconds();

}  // namespace trireme
