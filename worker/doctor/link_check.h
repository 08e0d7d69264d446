#pragma once
// Whether ranks reach each other, and how fast: one element from and to rank 0, then larger buffers, then round the
// ring. Collective; it waits in polls, so the caller's watchdog ends what hangs.

#include <cstddef>
#include <functional>
#include <vector>

#include "worker/transport/transport.h"

namespace trireme::doctor {

struct LinkSpeed {
  int rank = 0;
  double to_root = 0, from_root = 0;  // bytes/s
};

struct LinkReport {
  std::size_t bytes = 0;         // of the timed buffers
  std::vector<LinkSpeed> links;  // of ranks 1 …; on rank 0, empty elsewhere
  double ring = 0;               // bytes/s of each rank to its neighbour, all at once, the slowest; on rank 0
};

/// One element to every rank and back, its value checked. Throws Error(unavailable) when it arrives changed.
void exchange_one_element(Transport& transport);
/// `on_progress`: the watchdog's counter.
LinkReport measure_links(Transport& transport, std::size_t bytes, const std::function<void()>& on_progress);

}  // namespace trireme::doctor
