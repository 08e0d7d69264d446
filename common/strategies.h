#pragma once
// Every way to spread a job over so many ranks, with what it will take: memory of each stage, time, and where the time
// goes. From shapes alone, or corrected by what an earlier run measured. Pure, but for reading that run's summary.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/item.h"
#include "common/model_shape.h"
#include "common/ring_forecast.h"

namespace trireme {

/// What stands between two ranks of one host, and a rank's memory.
struct DeviceLimits {
  double memory_bytes = 0;
  double link_bytes_per_second = 0, link_latency_seconds = 0;
  double host_bytes_per_second = 0;  // of copies from locked host memory
};
/// Of devices known by name, else of an H100.
DeviceLimits nominal_limits(const std::string& device_name);

struct StageMemory {
  double weights = 0, working = 0;  // bytes
  double total() const { return weights + working; }
};
/// `batch` items a unit. Without NCCL's buffers and the CUDA context, about 1 GB.
std::vector<StageMemory> stage_memory(const ModelShape& shape, const std::vector<Item>& items, int batch,
                                      const std::vector<int>& cuts);

/// Bytes that cross from stage to stage in the slot that recurs most.
double crossing_bytes(const ModelShape& shape, const std::vector<Item>& items, int batch);

/// What GPUs take over what operations and bytes say: small kernels, norms and launches. As measured on one H200
/// (docs/performance.md); 1 on a CPU.
PhaseScale usual_scale(const ModelShape& shape, const std::string& device_name, int batch);

struct Measured {
  std::string device;
  PhaseScale scale;
};
/// What a run's summary.json says of the seconds of each phase, over what `cost` (of a unit at scale 1) says; `usual`
/// where it says nothing, and for what ran beside the steps. Nothing when there is no such file or it made nothing.
/// Throws Error(bad_data) naming the file.
std::optional<Measured> measured_rates(const std::filesystem::path& run, const UnitCost& cost, int batch,
                                       const PhaseScale& usual);
/// The device that a run's summary names.
std::optional<std::string> measured_device(const std::filesystem::path& run);

struct Strategy {
  int replicas = 1, stages = 1;
  std::vector<int> cuts;
  std::vector<StageMemory> memory;  // of each stage
  bool fits = true;
  double transfer_seconds = 0;  // of one slot
  RingForecast ring;            // of the replica that has most units
  double seconds = 0, items_per_second = 0, tokens_per_second = 0;
  double efficiency = 1;  // against one rank that does all
  double largest_memory() const;
};

struct StrategyInput {
  ModelShape shape;
  std::vector<Item> items;
  int batch = 1;
  int ranks = 1;
  std::optional<int> micro_batches;
  double memory_fraction = 0.9;
  std::string offload = "none";
  DeviceRates rates;
  DeviceLimits limits;
  PhaseScale scale;
};
/// Most replicas first.
std::vector<Strategy> strategies(const StrategyInput& input);
/// The fastest that fits, of equal ones that with fewer stages; null when none fits.
const Strategy* best_of(const std::vector<Strategy>& all);

}  // namespace trireme
