#include "worker/doctor/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "common/print.h"

namespace trireme::doctor {
namespace {

std::string rank_line(const RankFacts& rank) {
  std::string nodes;
  for (const int node : rank.numa_nodes) nodes += (nodes.empty() ? "" : ",") + std::to_string(node);
  std::string device = "cpu";
  if (rank.gpu.index >= 0) {
    device = "device " + std::to_string(rank.gpu.index) + " [" + rank.gpu.bus_id + "] " + rank.gpu.name + " " +
             std::to_string(rank.gpu.total_bytes >> 30) + " GiB numa " + std::to_string(rank.gpu.numa_node) + " " +
             rank.gpu.uuid;
  }
  return print("#  Rank %3d Local %2d Pid %7lld on %10s cpus %s (numa %s) %s\n", rank.rank, rank.local_rank,
               static_cast<long long>(rank.pid), rank.host.c_str(), rank.cpus.c_str(),
               nodes.empty() ? "?" : nodes.c_str(), device.c_str());
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::string links_text(const Report& report) {
  const double giga = 1e-9;
  std::string text = print("# one element to every rank and back over %s: ok\n", report.carrier.c_str());
  if (report.links.links.empty()) return text;
  text += print("# %zu MiB, GB/s\n", report.links.bytes >> 20);
  text += print("#  %5s %12s %12s\n", "rank", "to rank 0", "from rank 0");
  for (const LinkSpeed& link : report.links.links) {
    text += print("   %5d %12.3f %12.3f\n", link.rank, link.to_root * giga, link.from_root * giga);
  }
  return text + print("# round the ring, all at once: %.3f GB/s a rank\n", report.links.ring * giga);
}

}  // namespace

std::string to_text(const Report& report) {
  std::set<std::string> hosts;
  for (const RankFacts& rank : report.ranks) hosts.insert(rank.host);
  const RankFacts& first = report.ranks.front();
  std::string text =
      print("# trireme %s doctor · %zu rank%s on %zu host%s · started by %s\n", TRIREME_VERSION, report.ranks.size(),
            report.ranks.size() == 1 ? "" : "s", hosts.size(), hosts.size() == 1 ? "" : "s", first.launcher.c_str());
  text += print("# %s\n", joined(first.versions, " · ").c_str());
  for (const RankFacts& rank : report.ranks) text += rank_line(rank);
  for (const auto& [name, value] : first.variables) text += print("# %s=%s\n", name.c_str(), value.c_str());
  std::string interfaces;
  for (const Interface& interface : first.interfaces) interfaces += " " + interface.name + " " + interface.address;
  text += print("# interfaces of %s:%s\n", first.host.c_str(), interfaces.empty() ? " none" : interfaces.c_str());
  if (!report.carrier.empty()) text += links_text(report);
  for (const std::string& checked : report.checked) text += print("# %s\n", checked.c_str());
  for (const Finding& finding : report.findings) {
    text += std::string(name(finding.severity)) + ": " + finding.fact + ": " + finding.remedy + "\n";
  }
  const auto count = [&](Severity severity) {
    return std::count_if(report.findings.begin(), report.findings.end(),
                         [&](const Finding& finding) { return finding.severity == severity; });
  };
  return text + print("# %td errors, %td warnings\n", count(Severity::error), count(Severity::warning));
}

std::string to_json(const Report& report) {
  nlohmann::ordered_json json;
  json["format"] = "trireme doctor 1";
  json["version"] = TRIREME_VERSION;
  json["ranks"] = nlohmann::ordered_json::array();
  for (const RankFacts& rank : report.ranks) json["ranks"].push_back(nlohmann::ordered_json::parse(to_json(rank)));
  json["carrier"] = report.carrier;
  json["links"] = nlohmann::ordered_json::array();
  for (const LinkSpeed& link : report.links.links) {
    json["links"].push_back(
        {{"rank", link.rank}, {"bytes_per_second_to_0", link.to_root}, {"bytes_per_second_from_0", link.from_root}});
  }
  json["ring_bytes_per_second"] = report.links.ring;
  json["checked"] = report.checked;
  json["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : report.findings) {
    json["findings"].push_back(
        {{"severity", name(finding.severity)}, {"fact", finding.fact}, {"remedy", finding.remedy}});
  }
  return json.dump(2) + "\n";
}

}  // namespace trireme::doctor
