#pragma once
// Processor time: what a thread has worked, without what it waited.

#include <time.h>

namespace trireme {

/// Seconds of the calling thread since it began.
inline double thread_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace trireme
