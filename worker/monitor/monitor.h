#pragma once
// Rank 0's view of a running job: the progress line, alerts, status.json, the metrics file, and at the end
// results.jsonl, summary.json and the closing table. Reads what the coordinator knows; never touches a GPU.

#include "common/run_directory.h"
#include "common/start_up.h"
#include "common/status.h"
#include "common/summary.h"
#include "worker/dispatch/coordinator.h"
#include "worker/monitor/alerts.h"
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
    const StartUp& start_up;
  };
  /// Says what the start took, unless the mode is to say nothing.
  Monitor(Subject subject, ProgressMode mode);

  /// Cheap: called in every pass of the loop. `seconds` since the loop began.
  void update(double seconds);
  /// Writes results, summary and the last status, prints the closing table.
  void finish(ExitCode code, const std::vector<RankReport>& ranks);

 private:
  ProgressState progress(double seconds) const;
  Status status(const ProgressState& progress) const;
  /// status.json and the metrics file, and new alerts into the log.
  void publish(const Status& status);
  void note_first_result(const ProgressState& progress);
  Summary summary(ExitCode code, const std::vector<RankReport>& ranks) const;

  const Subject subject_;
  ProgressLine line_;
  const std::uint64_t settled_before_;
  AlertLog alert_log_;
  double next_status_ = 0;              // seconds since the loop began
  std::optional<double> first_result_;  // the same
  bool metrics_lost_ = false;
};

}  // namespace trireme
