#pragma once
// Runs a launch line as a child and passes signals on. The child gets a process group of its own, so that a terminal's
// Ctrl-C reaches it only through here, and TERM when this process dies.

#include "launcher/launch_line.h"

namespace trireme {

struct Outcome {
  int code = 0;                // exit code, or 128 + signal
  bool asked_to_stop = false;  // a signal was passed on
};

/// First INT (Ctrl-C) or USR1/USR2: USR1 to the job, which finishes what it has begun and ends with 75. Second INT, or
/// TERM or HUP: TERM; a launcher that does not end within 30 s of that is killed. Throws Error(unavailable) when the
/// program can't be started.
Outcome supervise(const LaunchLine& line);

}  // namespace trireme
