#pragma once
// How a node and its GPUs are at one moment. What can't be read is left out: it is not 0. Travels to rank 0 as JSON
// with the ranks' signs of life, and stands in status.json in the same form.

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

struct GpuSample {
  int index = 0;           // as NVML counts, which CUDA_VISIBLE_DEVICES does not change
  std::string uuid, name;  // as the driver gives them
  std::optional<double> utilization_percent, temperature_c, power_watts, sm_mhz, energy_joules;  // energy: ever used
  std::optional<std::uint64_t> memory_used_bytes, memory_total_bytes;
  std::optional<std::uint64_t> ecc_corrected, ecc_uncorrected;  // since the driver was loaded
  std::vector<std::string> throttled;  // why the clock is lower than it could be: power_cap, hardware, thermal, …
  /// Of what was not asked for this sample but is carried from one before, by the question: "energy", "ecc", "memory",
  /// "temperature", "clock", "utilization", "power", "throttling".
  std::map<std::string, double> age_seconds;
  /// 0 of what was asked for this sample.
  double age_of(const std::string& question) const;
  bool operator==(const GpuSample&) const = default;
};

struct NodeSample {
  std::string host;
  std::optional<double> unix_seconds;  // when, by the node's clock
  std::optional<double> cpu_percent;   // of all cores, since the sample before
  std::optional<std::uint64_t> ram_used_bytes, ram_total_bytes;
  std::optional<std::uint64_t> disk_free_bytes, disk_total_bytes;  // of the run directory's file system
  std::vector<GpuSample> gpus;
  bool operator==(const NodeSample&) const = default;
};

void to_json(nlohmann::ordered_json& json, const NodeSample& sample);
void from_json(const nlohmann::ordered_json& json, NodeSample& sample);

/// One line of JSON, and back. `node_sample` throws Error(internal) on anything else.
std::string to_line(const NodeSample& sample);
NodeSample node_sample(std::string_view line);

}  // namespace trireme
