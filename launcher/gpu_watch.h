#pragma once
// What the GPUs of a running job draw, from the job's status.json, which a thread reads as it changes. A job without
// GPUs, or that writes no status, has no readings.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "common/status.h"

namespace trireme {

/// Of the GPUs that drew most, over the time in which the job was hot.
struct GpuUse {
  double sm_mhz = 0, watts = 0;  // mean of a GPU; sum over the GPUs
};

/// `readings`: of one job, in order. Hot: from `warm` finished items on, while it runs. `gpus`: how many work. Nothing
/// when less than two readings say so.
std::optional<GpuUse> gpu_use(const std::vector<Status>& readings, std::uint64_t warm, int gpus);

/// Reads `file` from construction to `stop`.
class GpuWatch {
 public:
  explicit GpuWatch(std::filesystem::path file);
  ~GpuWatch();
  GpuWatch(const GpuWatch&) = delete;
  std::vector<Status> stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trireme
