#include "worker/monitor/node_reader.h"

#include <fstream>
#include <system_error>

#include "common/utc.h"

namespace trireme {

NodeReader::NodeReader(Settings settings) : settings_(std::move(settings)) {
  if (auto nvml = Nvml::open(settings_.nvml)) gpus_.emplace(std::move(*nvml));
}

/// The first line of /proc/stat: "cpu" user nice system idle iowait irq softirq steal …, the rest counted in these.
std::optional<NodeReader::CpuTimes> NodeReader::cpu_times() const {
  std::ifstream file(settings_.proc / "stat");
  std::string label;
  if (!(file >> label) || label != "cpu") return std::nullopt;
  constexpr int kIdle = 3, kWaitingForDisk = 4, kFields = 8;
  CpuTimes times;
  for (int field = 0; field < kFields; ++field) {
    std::uint64_t ticks = 0;
    if (!(file >> ticks)) return std::nullopt;
    times.all += ticks;
    if (field != kIdle && field != kWaitingForDisk) times.busy += ticks;
  }
  return times;
}

void NodeReader::read_memory(NodeSample& into) const {
  std::ifstream file(settings_.proc / "meminfo");
  std::optional<std::uint64_t> total, available;
  std::string name, rest;
  for (std::uint64_t kib = 0; file >> name >> kib && std::getline(file, rest);) {
    if (name == "MemTotal:") total = kib * 1024;
    if (name == "MemAvailable:") available = kib * 1024;
    if (total && available) break;
  }
  if (!total || !available || *available > *total) return;
  into.ram_total_bytes = *total;
  into.ram_used_bytes = *total - *available;
}

void NodeReader::read_disk(NodeSample& into) const {
  std::error_code failed;
  const auto space = std::filesystem::space(settings_.disk, failed);
  if (failed) return;
  into.disk_free_bytes = space.available;
  into.disk_total_bytes = space.capacity;
}

NodeSample NodeReader::sample(bool counters) {
  NodeSample now;
  now.host = settings_.host;
  now.unix_seconds = unix_seconds();
  const std::optional<CpuTimes> times = cpu_times();
  if (times && before_ && times->all > before_->all && times->busy >= before_->busy) {
    now.cpu_percent =
        100.0 * static_cast<double>(times->busy - before_->busy) / static_cast<double>(times->all - before_->all);
  }
  before_ = times;
  read_memory(now);
  read_disk(now);
  if (gpus_) now.gpus = gpus_->sample(counters);
  return now;
}

}  // namespace trireme
