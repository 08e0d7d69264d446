#include "worker/monitor/rank_report.h"

#include <nlohmann/json.hpp>

#include "worker/device.h"

namespace trireme {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Traffic, control_messages, control_bytes, carrier_transfers, carrier_bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankReport, rank, host, device, load_seconds, loop_seconds, busy_seconds,
                                   idle_seconds, longest_pass_seconds, peak_memory_bytes, traffic)

RankReport make_rank_report(const Launch& launch, at::Device device, const LoopReport& loop,
                            const Transport& transport) {
  RankReport report;
  report.rank = launch.rank;
  report.host = launch.host;
  report.device = device::name(device);
  report.load_seconds = loop.pulse.load_seconds;
  report.loop_seconds = loop.seconds;
  report.busy_seconds = loop.pulse.busy_seconds;
  report.idle_seconds = loop.pulse.idle_seconds;
  report.longest_pass_seconds = loop.pulse.longest_pass_seconds;
  report.peak_memory_bytes = device::memory(device).peak_allocated;
  report.traffic = transport.traffic();
  return report;
}

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
