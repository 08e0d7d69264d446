#include "worker/monitor/alerts.h"

#include <cmath>
#include <cstdint>

#include "common/log.h"

namespace trireme {
namespace {

constexpr std::uint64_t kLowDiskBytes = 2ull << 30;

std::string rounded(double value) { return std::to_string(std::lround(value)); }

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void look_at_gpu(const GpuSample& gpu, const std::string& host, const Job::Monitor& limits, std::vector<Alert>& into) {
  const auto alert = [&](const char* kind, const std::string& text) { into.push_back({kind, host, gpu.index, text}); };
  if (gpu.memory_used_bytes && gpu.memory_total_bytes) {
    const double used = percent(*gpu.memory_used_bytes, *gpu.memory_total_bytes);
    if (used > limits.gpu_memory_percent) alert("gpu_memory", rounded(used) + " % of the memory is used");
  }
  if (gpu.temperature_c && *gpu.temperature_c > limits.gpu_temperature_c) {
    alert("gpu_temperature", rounded(*gpu.temperature_c) + " C");
  }
  std::string reasons;
  for (const std::string& reason : gpu.throttled) {
    if (reason == "power_cap" || reason == "sync_boost") continue;
    reasons += (reasons.empty() ? "" : ", ") + reason;
  }
  if (!reasons.empty()) alert("gpu_throttling", "the clock is held down: " + reasons);
  if (gpu.ecc_uncorrected.value_or(0) > 0) {
    alert("gpu_ecc", std::to_string(*gpu.ecc_uncorrected) + " uncorrected memory errors since the driver was loaded");
  }
}

void look_at_node(const NodeSample& node, const Job::Monitor& limits, std::vector<Alert>& into) {
  if (node.ram_used_bytes && node.ram_total_bytes) {
    const double used = percent(*node.ram_used_bytes, *node.ram_total_bytes);
    if (used > limits.ram_percent) into.push_back({"ram", node.host, -1, rounded(used) + " % of the RAM is used"});
  }
  if (node.disk_free_bytes && *node.disk_free_bytes < kLowDiskBytes) {
    into.push_back({"disk", node.host, -1,
                    std::to_string(*node.disk_free_bytes >> 20) + " MiB are left on the run directory's disk"});
  }
  for (const GpuSample& gpu : node.gpus) look_at_gpu(gpu, node.host, limits, into);
}

}  // namespace

std::vector<Alert> find_alerts(const std::vector<NodeSample>& nodes, const std::vector<ReplicaStatus>& replicas,
                               const Job::Monitor& limits) {
  std::vector<Alert> alerts;
  for (const NodeSample& node : nodes) look_at_node(node, limits, alerts);
  for (std::size_t replica = 0; replica < replicas.size(); ++replica) {
    if (!replicas[replica].slow) continue;
    alerts.push_back({"slow_replica", "", static_cast<int>(replica), "more than 1.5 times as slow as the median"});
  }
  return alerts;
}

std::vector<Alert> AlertLog::say_new(const std::vector<Alert>& alerts) {
  std::vector<Alert> fresh;
  for (const Alert& alert : alerts) {
    if (!said_.emplace(alert.kind, alert.host, alert.device).second) continue;
    fresh.push_back(alert);
    if (alert.kind == "slow_replica") continue;  // the coordinator says it when it sees it
    if (alert.device >= 0) {
      log::warning("alert: " + alert.text, {{"kind", alert.kind}, {"host", alert.host}, {"gpu", alert.device}});
    } else {
      log::warning("alert: " + alert.text, {{"kind", alert.kind}, {"host", alert.host}});
    }
  }
  return fresh;
}

}  // namespace trireme
