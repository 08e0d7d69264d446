#pragma once
// Rank 0's view of a running job: the progress line, status.json, and at the end results.jsonl, summary.json and the
// closing table. Reads what the coordinator knows; never touches a GPU.

#include "common/run_directory.h"
#include "common/status.h"
#include "common/summary.h"
#include "worker/dispatch/coordinator.h"
#include "worker/monitor/progress.h"
#include "worker/monitor/rank_report.h"
#include "worker/plan.h"

namespace trireme {

class Monitor {
 public:
  struct Subject {
    const Job& job;
    const Launch& launch;
    const Layout& layout;
    const Plan& plan;
    const PipelinePlan& pipeline;
    const RunDirectory& directory;
    const Transport& transport;
    const Exchange& exchange;
    const Coordinator& coordinator;
  };
  Monitor(Subject subject, ProgressMode mode);

  /// Cheap: called in every pass of the loop. `seconds` since the loop began.
  void update(double seconds);
  /// Writes results, summary and the last status, prints the closing table.
  void finish(ExitCode code, const std::vector<RankReport>& ranks);

 private:
  ProgressState progress(double seconds) const;
  Status status(const ProgressState& progress) const;
  Summary summary(ExitCode code, const std::vector<RankReport>& ranks) const;

  const Subject subject_;
  ProgressLine line_;
  const std::uint64_t settled_before_;
  double next_status_ = 0;  // seconds since the loop began
};

}  // namespace trireme
