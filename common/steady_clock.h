#pragma once
// Time that never jumps, for durations and deadlines. What decides by time takes a clock as a parameter instead.

#include <chrono>

namespace trireme {

/// Seconds since some moment before the program began.
inline double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace trireme
