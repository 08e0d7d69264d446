#pragma once
// What each rank tells rank 0 at the end of a job, for the summary's table.

#include <cstdint>
#include <string>
#include <vector>

#include "worker/engine/engine.h"
#include "worker/transport/transport.h"

namespace trireme {

struct RankReport {
  int rank = 0;
  std::string host, device, gpu_uuid;
  double load_seconds = 0, loop_seconds = 0, busy_seconds = 0, idle_seconds = 0;
  double longest_pass_seconds = 0;      // of the loop
  std::uint64_t peak_memory_bytes = 0;  // of the device's tensors; of the process on a CPU
  Traffic traffic;
  PhaseSeconds phases{};    // of the device, in each phase
  std::vector<Span> spans;  // since the loop began
  std::string node;         // the last sample, as a line, of the rank that watches its node
};

/// Collective: all ranks' reports on rank 0, in rank order; empty elsewhere.
std::vector<RankReport> gather_rank_reports(Transport& transport, const RankReport& mine);

}  // namespace trireme
