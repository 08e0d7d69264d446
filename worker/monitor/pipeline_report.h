#pragma once
// What a pipeline's ranks did, from their spans, beside what was expected. Rank 0, at the end of a job.

#include <vector>

#include "common/layout.h"
#include "common/summary.h"
#include "worker/monitor/rank_report.h"
#include "worker/plan.h"

namespace trireme {

/// Of the ranks of one replica, in the order of their stages: losses, and seconds from the first slot to the last one's
/// end or the last decoding's.
struct MeasuredRing {
  RingLoss loss;
  double seconds = 0;
};
MeasuredRing measure_ring(const std::vector<const RankReport*>& stages);

/// From the first entry into the layers to the end of all work, on any rank.
double work_seconds(const std::vector<RankReport>& ranks);

/// Mean over all units of any engine: from the begin of a unit's first work to the end of its last.
double mean_latency(const std::vector<RankReport>& ranks);

PipelineSummary pipeline_summary(const Layout& layout, const PipelinePlan& plan, const std::vector<RankReport>& ranks);

}  // namespace trireme
