#include "worker/monitor/rank_report.h"

#include <nlohmann/json.hpp>

namespace trireme {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Traffic, control_messages, control_bytes, carrier_transfers, carrier_bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Span, kind, unit, slot, half, pass, begin, seconds)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankReport, rank, host, device, gpu_uuid, load_seconds, loop_seconds, busy_seconds,
                                   idle_seconds, longest_pass_seconds, peak_memory_bytes, traffic, phases, spans, node)

std::vector<RankReport> gather_rank_reports(Transport& transport, const RankReport& mine) {
  std::vector<RankReport> reports;
  for (const Bytes& report : transport.gather(to_bytes(nlohmann::json(mine).dump()), 0)) {
    reports.push_back(nlohmann::json::parse(as_text(report)).get<RankReport>());
  }
  return reports;
}

}  // namespace trireme
