#pragma once
// The timeline of a job, with --trace: trace.json for chrome://tracing or Perfetto, and timeline.svg to look at. Rank
// 0, at the end. Errors of writing are thrown as files.h throws them.

#include <filesystem>
#include <string>
#include <vector>

#include "common/layout.h"
#include "worker/dispatch/coordinator.h"
#include "worker/monitor/rank_report.h"

namespace trireme {

struct Timeline {
  const Layout& layout;
  const std::vector<RankReport>& ranks;
  const std::vector<ResultSpan>& results;
  int launch = 1;    // the job's number in its run directory
  double clock = 0;  // steady_seconds() that is 0 in the ranks' spans
};

/// Trace event format: a process a rank; threads for the device, what it waits for, and the results it sends.
std::string chrome_trace(const Timeline& timeline);
/// A row a rank: slots in the colour of their unit, waits in grey, what is beside the ring thin below.
std::string gantt_svg(const Timeline& timeline);

/// Into `folder`.
void write_timeline(const std::filesystem::path& folder, const Timeline& timeline);

}  // namespace trireme
