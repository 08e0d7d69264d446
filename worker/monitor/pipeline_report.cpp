#include "worker/monitor/pipeline_report.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "common/stage_split.h"

namespace trireme {

MeasuredRing measure_ring(const std::vector<const RankReport*>& stages) {
  MeasuredRing ring;
  SlotSeconds own(stages.size());
  std::map<std::pair<std::uint64_t, int>, std::size_t> last_halves;  // of a unit's passes: their slots
  std::vector<double> last_slot(stages.size(), 0), decoding(stages.size(), 0), ends(stages.size(), 0);
  double first = 0;
  bool any = false;
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    for (const Span& span : stages[stage]->spans) {
      if (span.kind == SpanKind::wait) continue;
      const double end = span.begin + span.seconds;
      if (span.kind == SpanKind::slot) {
        const auto slot = static_cast<std::size_t>(span.slot);
        if (own[stage].size() <= slot) own[stage].resize(slot + 1, -1);
        own[stage][slot] = span.seconds;
        std::size_t& last_half = last_halves[{span.unit, span.pass}];
        last_half = std::max(last_half, slot);
        first = any ? std::min(first, span.begin) : span.begin;
        last_slot[stage] = std::max(last_slot[stage], end);
        any = true;
      } else if (span.kind != SpanKind::encode) {
        decoding[stage] += span.seconds;
      }
      ends[stage] = std::max(ends[stage], end);
    }
  }
  if (!any) return ring;
  std::size_t slots = 0;
  for (const auto& stage : own) slots = std::max(slots, stage.size());
  // What a stage has left to decode behind its last slot: one beat behind all others.
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    own[stage].resize(slots + stages.size(), -1);
    const double left = std::min(decoding[stage], ends[stage] - last_slot[stage]);
    if (left > 0) own[stage][slots + stages.size() - 1 - stage] = left;
  }
  ring.seconds = *std::max_element(ends.begin(), ends.end()) - first;
  std::vector<bool> returns(slots, false);
  for (const auto& [pass, slot] : last_halves) returns[slot] = true;
  ring.loss = ring_loss({std::move(own), std::move(returns)}, ring.seconds);
  return ring;
}

double work_seconds(const std::vector<RankReport>& ranks) {
  std::optional<double> first;
  double last = 0;
  for (const RankReport& rank : ranks) {
    for (const Span& span : rank.spans) {
      if (span.kind == SpanKind::wait || span.kind == SpanKind::encode) continue;
      first = std::min(first.value_or(span.begin), span.begin);
      last = std::max(last, span.begin + span.seconds);
    }
  }
  return first ? last - *first : 0;
}

double mean_latency(const std::vector<RankReport>& ranks) {
  struct Life {
    double begin, end;
  };
  std::map<std::uint64_t, Life> units;
  for (const RankReport& rank : ranks) {
    for (const Span& span : rank.spans) {
      if (span.kind == SpanKind::wait) continue;
      const double end = span.begin + span.seconds;
      const auto [found, fresh] = units.try_emplace(span.unit, Life{span.begin, end});
      if (fresh) continue;
      found->second.begin = std::min(found->second.begin, span.begin);
      found->second.end = std::max(found->second.end, end);
    }
  }
  double sum = 0;
  for (const auto& [unit, life] : units) sum += life.end - life.begin;
  return units.empty() ? 0 : sum / static_cast<double>(units.size());
}

PipelineSummary pipeline_summary(const Layout& layout, const PipelinePlan& plan, const std::vector<RankReport>& ranks) {
  PipelineSummary summary;
  summary.stages = layout.stages;
  summary.layers = split_text(plan.cuts);
  summary.predicted = plan.forecast.loss;
  summary.predicted_seconds = plan.forecast.seconds;
  for (int replica = 0; replica < layout.replicas(); ++replica) {
    std::vector<const RankReport*> stages;
    for (int rank = layout.first_rank(replica); rank <= layout.last_rank(replica); ++rank) {
      stages.push_back(&ranks.at(static_cast<std::size_t>(rank)));
    }
    const MeasuredRing ring = measure_ring(stages);
    const double share = 1.0 / layout.replicas();
    summary.measured.fill += share * ring.loss.fill;
    summary.measured.imbalance += share * ring.loss.imbalance;
    summary.measured.transfer += share * ring.loss.transfer;
    summary.seconds = std::max(summary.seconds, ring.seconds);
  }
  return summary;
}

}  // namespace trireme
