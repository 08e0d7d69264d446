#include "launcher/report/timeline.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "launcher/report/charts.h"
#include "launcher/report/numbers.h"

namespace trireme::report {
namespace {

constexpr std::size_t kMostRows = 64;

std::string host_of(const RunRecord& run, int rank) {
  if (!run.summary) return "";
  for (const RankSummary& of : run.summary->ranks) {
    if (of.rank == rank) return of.host.substr(0, 12);
  }
  return "";
}

std::string rank_label(const RunRecord& run, int rank) {
  const std::string host = host_of(run, rank);
  return "rank " + std::to_string(rank) + (host.empty() ? "" : " " + host);
}

Gantt from_trace(const RunRecord& run) {
  std::map<int, GanttRow> rows;
  Gantt gantt;
  for (const TraceSpan& span : run.spans) {
    GanttRow& row = rows[span.rank];
    const bool thin = span.lane == TraceSpan::Lane::beside || span.lane == TraceSpan::Lane::results;
    row.bars.push_back(
        {span.begin, span.seconds, span.kind, span.title + ": " + duration(span.seconds), span.kind, thin});
    gantt.end = std::max(gantt.end, span.begin + span.seconds);
  }
  for (auto& [rank, row] : rows) {
    row.label = rank_label(run, rank);
    if (gantt.rows.size() < kMostRows) gantt.rows.push_back(std::move(row));
  }
  return gantt;
}

/// A unit is what came home at one moment from one replica.
Gantt from_journal(const RunRecord& run) {
  struct UnitBar {
    double seconds = 0;
    std::size_t items = 0, failed = 0;
    std::string first;
  };
  std::map<std::pair<int, double>, UnitBar> units;  // by replica and end
  for (const RunItem& item : run.items) {
    const ItemRecord& record = item.record;
    if (!item.of_last_job || record.finished_seconds <= 0 || record.replica < 0) continue;
    UnitBar& unit = units[{record.replica, record.finished_seconds}];
    unit.seconds += record.seconds;
    unit.failed += !record.ok;
    if (unit.items++ == 0) unit.first = record.id;
  }
  std::map<int, GanttRow> rows;
  Gantt gantt;
  for (const auto& [place, unit] : units) {
    const auto& [replica, end] = place;
    GanttRow& row = rows[replica];
    const std::string name =
        unit.items == 1 ? unit.first : unit.first + " and " + std::to_string(unit.items - 1) + " more";
    const char* kind = unit.failed > 0 ? "failed" : row.bars.size() % 2 == 0 ? "item-a" : "item-b";
    const std::string title =
        name + ": " + duration(unit.seconds) + ", home at " + duration(end) + (unit.failed > 0 ? ", failed" : "");
    row.bars.push_back({end - unit.seconds, unit.seconds, kind, title, unit.failed > 0 ? "failed" : name, false});
    gantt.end = std::max(gantt.end, end);
  }
  for (auto& [replica, row] : rows) {
    row.label = run.start.ranks_per_replica > 1 ? "replica " + std::to_string(replica) : rank_label(run, replica);
    if (gantt.rows.size() < kMostRows) gantt.rows.push_back(std::move(row));
  }
  return gantt;
}

std::vector<std::string> kinds_in(const RunRecord& run) {
  std::set<std::string> kinds;
  for (const TraceSpan& span : run.spans) kinds.insert(span.kind);
  return {kinds.begin(), kinds.end()};
}

}  // namespace

std::optional<Section> timeline_section(const RunRecord& run) {
  if (run.merged) return std::nullopt;
  Gantt gantt = run.spans.empty() ? from_journal(run) : from_trace(run);
  if (gantt.rows.empty()) return std::nullopt;
  gantt.end = std::max({gantt.end, run.seconds().value_or(0), 1e-3});
  const bool traced = !run.spans.empty();
  const std::size_t rows = gantt.rows.size();
  gantt.label = "timeline of " + count(rows, traced ? "rank" : "replica") + " over " + duration(gantt.end);
  Figure figure;
  figure.caption =
      traced
          ? "What each rank did when, as --trace saw it. Thin bars run beside the others, or are results on their way "
            "to rank 0 and the disk"
          : "What each replica had in work when, from the journal: a bar is a unit, up to when its result came home; "
            "gaps are waiting. --trace also shows phases";
  if (traced) gantt.kinds = kinds_in(run);
  if (static_cast<int>(rows) < (traced ? run.ranks() : run.replicas()) && rows == kMostRows)
    figure.caption += ". The first " + std::to_string(kMostRows) + " of them";
  figure.description = "Hold the pointer over a bar for its name and seconds.";
  figure.svg = gantt_svg(gantt);
  return Section{"Timeline", {std::move(figure)}};
}

}  // namespace trireme::report
