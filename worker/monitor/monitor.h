#pragma once
// Rank 0's view of a running job: the progress line, alerts, status.json, the metrics file, and at the end
// results.jsonl, summary.json and the closing table. Reads what the coordinator knows; never touches a GPU.

#include <map>
#include <memory>
#include <string>

#include "common/energy_meter.h"
#include "common/monitor_history.h"
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
  /// `nodes`: as each was last, by the rank that watches it.
  Status status(const ProgressState& progress, const std::map<int, std::string>& nodes) const;
  /// status.json, the metrics file and monitor.jsonl, and new alerts into the log.
  void publish(const Status& status);
  void note_first_result(const ProgressState& progress);
  void write_metrics_file(const Status& status);
  /// What the nodes say, and alerts that are new, into monitor.jsonl.
  void keep_history(const Status& status, const std::vector<Alert>& alerts);
  void meter_energy(const Status& status, double now);
  void add_energy(Summary& summary) const;
  Summary summary(ExitCode code, const std::vector<RankReport>& ranks) const;

  const Subject subject_;
  ProgressLine line_;
  const std::uint64_t settled_before_;
  AlertLog alert_log_;
  double next_status_ = 0;              // seconds since the loop began
  std::optional<double> first_result_;  // the same
  bool metrics_lost_ = false;
  std::unique_ptr<MonitorHistory> history_;  // from the first status on
  bool history_lost_ = false;
  std::map<std::string, EnergyMeter> meters_;  // by the GPU's uuid
  std::map<std::string, double> sampled_;      // by node: the last sample that the meters have
};

}  // namespace trireme
