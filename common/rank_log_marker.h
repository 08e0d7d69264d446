#pragma once
// Which rank died? Every rank's log gets a line when a job starts and one when the rank ends by itself or is told to
// end (mpirun and Slurm send TERM to the others when one rank is gone). The rank without the second line is the one
// that crashed, was killed with -9 or by the out-of-memory killer. The same last moment gives up the run directory's
// lock.

#include <filesystem>

#include "common/errors.h"

namespace trireme {

class LockFile;

namespace rank_log {

enum class Ending {
  finished,  // a normal end, or drained
  stopped,   // told to end, or ended by a cause outside its work: a full disk, a lost peer
  died,      // ended by its own work: an internal error, a stall
};
/// Of a rank that met a fatal error. One that its own watchdog finds stuck has died, whatever the code.
Ending ending_of(ExitCode code);

/// Once a process, when the run directory is open and `launch` known: appends the start line to `log` and, where TERM,
/// INT or HUP have no handler yet, sets one that calls `end(stopped)` and lets the signal end the process. `lock`: of
/// rank 0, else nullptr; not needed after the call.
void begin(const std::filesystem::path& log, int rank, int launch, const LockFile* lock);
/// Appends the end line and removes the lock; only the first call does anything. Safe in signal handlers and before
/// MPI_Abort. Without `begin`: nothing.
void end(Ending ending) noexcept;

enum class LastWord {
  absent,    // this log knows nothing of that launch
  unmarked,  // it started and never ended
  finished,
  stopped,
  died,
};
LastWord last_word(const std::filesystem::path& log, int launch);

}  // namespace rank_log
}  // namespace trireme
