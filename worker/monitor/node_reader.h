#pragma once
// Reads how this node is: CPU and memory from /proc, the disk of the run directory, GPUs from NVML. Single thread;
// nothing fails: what can't be read is left out.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/node_sample.h"
#include "worker/monitor/gpu_sampler.h"

namespace trireme {

class NodeReader {
 public:
  struct Settings {
    std::string host;
    std::filesystem::path disk;            // any folder on the file system to look at
    std::filesystem::path proc = "/proc";  // and where the kernel's files are
    const char* nvml = "libnvidia-ml.so.1";
  };
  explicit NodeReader(Settings settings);

  /// CPU use is that since the sample before: the first one has none. `counters`: as GpuSampler::sample.
  NodeSample sample(bool counters = false);

 private:
  struct CpuTimes {
    std::uint64_t busy = 0, all = 0;  // ticks since the node was started
  };
  std::optional<CpuTimes> cpu_times() const;
  void read_memory(NodeSample& into) const;
  void read_disk(NodeSample& into) const;

  const Settings settings_;
  std::optional<GpuSampler> gpus_;
  std::optional<CpuTimes> before_;
};

}  // namespace trireme
