#pragma once
// What each rank tells rank 0 at the end of a job, for the summary's table.

#include <string>
#include <vector>

#include "worker/loop.h"
#include "worker/transport/launch.h"
#include "worker/transport/transport.h"
#include "worker/weights/loader.h"

namespace trireme {

struct RankReport {
  int rank = 0;
  std::string host, device;
  double load_seconds = 0, loop_seconds = 0, busy_seconds = 0, idle_seconds = 0;
  double longest_pass_seconds = 0;      // of the loop
  std::uint64_t peak_memory_bytes = 0;  // of the device's tensors; of the process on a CPU
  Traffic traffic;
};

RankReport make_rank_report(const Launch& launch, at::Device device, const LoopReport& loop,
                            const Transport& transport);

/// Collective: all ranks' reports on rank 0, in rank order; empty elsewhere.
std::vector<RankReport> gather_rank_reports(Transport& transport, const RankReport& mine);

}  // namespace trireme
