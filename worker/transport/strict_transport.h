#pragma once
// Tests only: all ranks of a job in one process and one thread, on a transport that forgives nothing. MPI buffers, and
// so hides mistakes that hang on NCCL; here a transfer waits for both halves at the heads of in-order queues, messages
// take their time to leave and to arrive (order kept between two ranks), and, as the law demands, a message to another
// rank that has not left when its sender posts a group stays until that group is complete. Which rank runs next and
// every delay come from the seed.
//
// `run` throws Error(internal) with every queue when queues wait for each other (a cycle), when no transfer has moved
// and no rank has ended for long (a stall: a half whose other half never comes, say), or when transfers or messages are
// left at the end.

#include <cstdint>
#include <functional>

#include "worker/transport/transport.h"

namespace trireme::strict {

struct Settings {
  int ranks = 1;
  int ranks_per_replica = 0;  // 0: all of them
  std::uint64_t seed = 0;
  int longest_delay = 30;  // of messages and completions, in turns of a rank
  int patience = 3000;     // turns of every rank without any of that that make a stall
  /// Half of the groups with other ranks hold the host that posted them until they are complete, as a driver does that
  /// loads a kernel or pins memory behind one. Its messages leave and arrive meanwhile, as MPI's short ones do.
  bool hosts_stand_still = false;
};

/// A rank's code; it must call `progress` while it waits. `exchange` joins all ranks, `replica` those of one replica,
/// numbered from 0; each has its own messages and its own queue.
using Body = std::function<void(Transport& exchange, Transport& replica)>;

/// Runs `body` on every rank until all have returned.
void run(const Settings& settings, const Body& body);

}  // namespace trireme::strict
