#include "worker/monitor/monitor.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <set>

#include "common/log.h"
#include "common/lower_bound.h"
#include "common/results.h"
#include "common/utc.h"
#include "worker/monitor/metrics_file.h"
#include "worker/monitor/pipeline_report.h"

namespace trireme {
namespace {

double sum_of(const PhaseSeconds& seconds) { return std::accumulate(seconds.begin(), seconds.end(), 0.0); }

/// `made`: what the rank has offered.
RankSummary row_of(const RankReport& rank, const ReplicaTotals& made) {
  RankSummary row;
  row.rank = rank.rank;
  row.host = rank.host;
  row.device = rank.device;
  row.gpu_uuid = rank.gpu_uuid;
  row.items = made.items;
  row.tokens = made.tokens;
  const PhaseSeconds& phases = rank.phases;
  row.seconds = {rank.load_seconds,     phases[0],         phases[1], phases[2], phases[3],
                 made.transfer_seconds, made.write_seconds};
  row.busy_seconds = rank.busy_seconds;
  row.idle_seconds = rank.idle_seconds;
  row.longest_pass_seconds = rank.longest_pass_seconds;
  row.peak_memory_bytes = rank.peak_memory_bytes;
  row.control_messages = rank.traffic.control_messages;
  row.control_bytes = rank.traffic.control_bytes;
  row.carrier_transfers = rank.traffic.carrier_transfers;
  row.carrier_bytes = rank.traffic.carrier_bytes;
  return row;
}

}  // namespace

Monitor::Monitor(Subject subject, ProgressMode mode)
    : subject_(subject), line_(mode), settled_before_(subject.coordinator.done() + subject.coordinator.failed()) {
  if (mode != ProgressMode::none) std::fprintf(stderr, "trireme: %s\n", subject.start_up.to_line().c_str());
}

ProgressState Monitor::progress(double seconds) const {
  ProgressState state;
  state.done = subject_.coordinator.done();
  state.failed = subject_.coordinator.failed();
  state.total = subject_.plan.items.size();
  state.done_before = settled_before_;
  state.seconds = seconds;
  state.text = subject_.plan.checkpoint.defaults.makes == Makes::text;
  const auto& totals = subject_.coordinator.totals();
  std::uint64_t delivered = 0;
  for (const ReplicaTotals& of : totals) delivered += of.tokens;
  state.tokens = std::max(delivered, subject_.exchange.tokens());  // pulses are a second old at times
  for (std::size_t replica = 0; totals.size() > 1 && replica < totals.size(); ++replica) {
    if (totals[replica].items == 0) continue;
    const double seconds_per_item = sum_of(totals[replica].seconds) / static_cast<double>(totals[replica].items);
    if (seconds_per_item <= state.slowest_seconds_per_item) continue;
    state.slowest_replica = static_cast<int>(replica);
    state.slowest_seconds_per_item = seconds_per_item;
  }
  return state;
}

Status Monitor::status(const ProgressState& progress, const std::map<int, std::string>& nodes) const {
  Status status;
  status.state = subject_.coordinator.draining() ? "stopping" : "running";
  status.run_id = subject_.plan.run_id;
  status.host = subject_.launch.host;
  status.pid = getpid();
  status.launch = subject_.directory.launch();
  status.world = subject_.launch.size;
  status.total = progress.total;
  status.done = progress.done;
  status.failed = progress.failed;
  status.seconds = progress.seconds;
  status.items_per_second = items_per_second(progress);
  status.tokens = progress.tokens;
  status.tokens_per_second = tokens_per_second(progress);
  status.seconds_left = seconds_left(progress);
  status.slowest_replica = progress.slowest_replica;
  const auto& totals = subject_.coordinator.totals();
  for (std::size_t index = 0; index < totals.size(); ++index) {
    const int replica = static_cast<int>(index);
    status.replicas.push_back({subject_.coordinator.in_hand(replica), totals[index].items,
                               sum_of(totals[index].seconds), subject_.coordinator.slow_replicas().contains(replica)});
  }
  for (const auto& [rank, line] : nodes) status.nodes.push_back(node_sample(line));
  status.alerts = find_alerts(status.nodes, status.replicas, subject_.job.monitor);
  return status;
}

void Monitor::publish(const Status& status) {
  keep_history(status, alert_log_.say_new(status.alerts));
  write_status(subject_.directory.paths().status(), status);
  write_metrics_file(status);
}

void Monitor::write_metrics_file(const Status& status) {
  const std::filesystem::path& metrics = subject_.job.output.metrics_file;
  if (metrics.empty() || metrics_lost_) return;
  try {
    write_metrics(metrics, status);
  } catch (const Error& e) {  // nobody loses a job to its metrics
    metrics_lost_ = true;
    log::warning("no more metrics in this job (output.metrics_file)", {{"cause", e.what()}});
  }
}

void Monitor::keep_history(const Status& status, const std::vector<Alert>& alerts) {
  const double now = unix_seconds();
  meter_energy(status, now);
  if (history_lost_) return;
  try {
    if (!history_) {
      const RunDirectory& directory = subject_.directory;
      history_ = std::make_unique<MonitorHistory>(directory.paths().history(), directory.launch());
    }
    for (const Alert& alert : alerts) history_->add(status.seconds, alert);
    history_->add(status.seconds, now, status.nodes, status.state == "ended");
  } catch (const Error& e) {  // nor to its curves
    history_lost_ = true;
    log::warning("no more lines in monitor.jsonl in this job", {{"cause", e.what()}});
  }
}

void Monitor::meter_energy(const Status& status, double now) {
  for (const NodeSample& node : status.nodes) {
    const double when = node.unix_seconds.value_or(now);
    const auto [last, first] = sampled_.try_emplace(node.host, when);
    if (!first && last->second >= when) continue;  // no news
    last->second = when;
    for (const GpuSample& gpu : node.gpus) {
      meters_[gpu.uuid].add(status.seconds - (now - when), gpu);
    }
  }
}

void Monitor::add_energy(Summary& summary) const {
  std::set<std::string> gpus;
  for (const RankSummary& rank : summary.ranks) gpus.insert(rank.gpu_uuid);
  double joules = 0;
  for (const std::string& uuid : gpus) {
    const auto meter = meters_.find(uuid);
    if (meter == meters_.end()) continue;
    const std::optional<double> used = meter->second.joules(summary.seconds);
    if (!used) continue;
    joules += *used;
    ++summary.energy_gpus;
  }
  if (summary.energy_gpus > 0) summary.energy_joules = joules;
}

Summary Monitor::summary(ExitCode code, const std::vector<RankReport>& ranks) const {
  Summary summary;
  summary.run_id = subject_.plan.run_id;
  summary.launch = subject_.directory.launch();
  summary.exit_code = static_cast<int>(code);
  summary.policy = subject_.job.dispatch.policy;
  summary.carrier = subject_.transport.carrier();
  summary.facts = run_facts(ranks.at(0).device);
  summary.total = subject_.plan.items.size();
  summary.done = subject_.coordinator.done();
  summary.failed = subject_.coordinator.failed();
  summary.degraded = subject_.coordinator.degraded();
  summary.seconds = ranks.at(0).loop_seconds;
  summary.start_up = subject_.start_up.steps();
  if (first_result_) summary.start_up.emplace_back("first result", *first_result_);
  summary.text = subject_.plan.checkpoint.defaults.makes == Makes::text;
  double busy = 0;  // of all replicas
  for (const RankReport& rank : ranks) {
    // Results are those of the rank that offers them, the last of its replica.
    const int replica = subject_.layout.replica_of(rank.rank);
    const bool offers = rank.rank == subject_.layout.last_rank(replica);
    const ReplicaTotals made =
        offers ? subject_.coordinator.totals().at(static_cast<std::size_t>(replica)) : ReplicaTotals{};
    if (offers) busy += rank.busy_seconds;
    summary.ranks.push_back(row_of(rank, made));
  }
  summary.replicas = subject_.layout.replicas();
  if (subject_.layout.stages == 1) {
    summary.lower_bound_seconds =
        lower_bound_seconds(without_overlap(subject_.coordinator.unit_seconds(), busy), summary.replicas);
  }
  add_energy(summary);
  summary.work_seconds = work_seconds(ranks);
  summary.latency_seconds = mean_latency(ranks);
  if (subject_.layout.stages > 1) summary.pipeline = pipeline_summary(subject_.layout, subject_.pipeline, ranks);
  return summary;
}

void Monitor::note_first_result(const ProgressState& progress) {
  if (!first_result_ && progress.done + progress.failed > settled_before_) first_result_ = progress.seconds;
}

void Monitor::update(double seconds) {
  if (seconds < next_status_ && !line_.due(seconds)) return;  // in nearly every pass of the loop
  const ProgressState now = progress(seconds);
  note_first_result(now);
  line_.update(now);
  if (seconds < next_status_) return;
  next_status_ = seconds + subject_.job.monitor.interval_seconds;
  publish(status(now, subject_.exchange.nodes()));
  log::flush();
}

void Monitor::finish(ExitCode code, const std::vector<RankReport>& ranks) {
  const RunPaths& paths = subject_.directory.paths();
  const ProgressState now = progress(ranks.at(0).loop_seconds);
  note_first_result(now);
  line_.finish(now);
  write_results(paths.results(), subject_.plan.items, subject_.coordinator.records());
  std::map<int, std::string> nodes = subject_.exchange.nodes();
  for (const RankReport& rank : ranks) {
    if (!rank.node.empty()) nodes[rank.rank] = rank.node;
  }
  Status last = status(now, nodes);
  last.state = "ended";
  last.exit_code = static_cast<int>(code);
  meter_energy(last, unix_seconds());
  const Summary total = summary(code, ranks);
  write_summary(paths.summary(), total);
  publish(last);
  std::fprintf(stderr, "%s", closing_table(total).c_str());
  if (total.text) {
    std::fprintf(stderr, "trireme: answers are in %s\n", paths.results().c_str());
  } else if (subject_.job.output.images == "png") {
    std::fprintf(stderr, "trireme: pictures are in %s\n", paths.images().c_str());
  }
}

}  // namespace trireme
