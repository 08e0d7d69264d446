#include "worker/monitor/rank_report.h"

#include <nlohmann/json.hpp>

namespace trireme {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Traffic, control_messages, control_bytes, carrier_transfers, carrier_bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankReport, rank, host, device, load_seconds, loop_seconds, busy_seconds,
                                   idle_seconds, longest_pass_seconds, peak_memory_bytes, traffic)

std::vector<RankReport> gather_rank_reports(Transport& transport, const RankReport& mine) {
  const std::string text = nlohmann::json(mine).dump();
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  std::vector<RankReport> reports;
  for (const Bytes& report : transport.gather({bytes, bytes + text.size()}, 0)) {
    const auto* begin = reinterpret_cast<const char*>(report.data());
    reports.push_back(nlohmann::json::parse(begin, begin + report.size()).get<RankReport>());
  }
  return reports;
}

}  // namespace trireme
