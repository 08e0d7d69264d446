#include "launcher/report/time_account.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/median.h"

namespace trireme::report {
namespace {

constexpr std::size_t kEnoughItems = 3;  // of a replica, to call it slow

}  // namespace

std::optional<TimeShares> time_shares(const Summary& summary) {
  const double all = summary.seconds * static_cast<double>(summary.ranks.size());
  if (all <= 0) return std::nullopt;
  double phases = 0, busy = 0, most = 0;
  TimeShares shares;
  for (const RankSummary& rank : summary.ranks) {
    shares.encode += rank.seconds_alone(RankPhase::encode) / all;
    shares.prefill += rank.seconds_alone(RankPhase::prefill) / all;
    shares.denoise += rank.seconds_alone(RankPhase::denoise) / all;
    shares.decode += rank.seconds_alone(RankPhase::decode) / all;
    busy += rank.busy_seconds;
    most = std::max(most, rank.busy_seconds);
  }
  phases = shares.encode + shares.prefill + shares.denoise + shares.decode;
  const double ranks = static_cast<double>(summary.ranks.size());
  shares.other = std::max(0.0, busy / all - phases);
  const double idle = std::max(0.0, 1 - std::max(busy / all, phases));
  shares.uneven = std::min(idle, (most - busy / ranks) / summary.seconds);
  shares.waiting = idle - shares.uneven;
  return shares;
}

std::vector<double> relative_slowness(const RunRecord& run) {
  const auto size_of = [](const ItemRecord& record) { return std::pair(record.width, record.height); };
  const auto counts = [&](const RunItem& item) {
    return item.of_last_job && item.record.ok && item.record.replica >= 0 && item.record.seconds > 0;
  };
  // Answers differ in length, so theirs are the seconds a token.
  const auto seconds_of = [](const ItemRecord& record) {
    if (!record.text || record.text->token_ids.empty()) return record.seconds;
    return record.seconds / static_cast<double>(record.text->token_ids.size());
  };
  std::map<std::pair<int, int>, std::vector<double>> of_size;
  for (const RunItem& item : run.items) {
    if (counts(item)) of_size[size_of(item.record)].push_back(seconds_of(item.record));
  }
  std::map<std::pair<int, int>, double> usual;
  for (const auto& [size, seconds] : of_size) usual[size] = median(seconds);
  std::vector<std::vector<double>> ratios(static_cast<std::size_t>(std::max(0, run.replicas())));
  for (const RunItem& item : run.items) {
    if (!counts(item) || item.record.replica >= run.replicas()) continue;
    const double expected = usual[size_of(item.record)];
    if (expected > 0)
      ratios[static_cast<std::size_t>(item.record.replica)].push_back(seconds_of(item.record) / expected);
  }
  std::vector<double> slowness;
  for (const auto& of_replica : ratios) slowness.push_back(of_replica.size() < kEnoughItems ? 0 : median(of_replica));
  return slowness;
}

double start_seconds(const Summary& summary) {
  double seconds = 0;
  for (const auto& [step, took] : summary.start_up) seconds += step == kFirstResult ? 0 : took;
  return summary.start_up.empty() ? spread_of(summary, RankPhase::load).max : seconds;
}

std::optional<double> tail_seconds(const RunRecord& run) {
  double last = 0;
  for (const RunItem& item : run.items) {
    if (item.of_last_job) last = std::max(last, item.record.finished_seconds);
  }
  if (last <= 0 || !run.summary) return std::nullopt;
  return std::max(0.0, run.summary->seconds - last);
}

}  // namespace trireme::report
