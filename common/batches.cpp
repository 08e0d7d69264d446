#include "common/batches.h"

#include <algorithm>

namespace trireme {
namespace {

// Part of what bits depend on: kNumericTables is raised with them.
constexpr std::size_t kTextBatchOnGpu = 16;
constexpr std::size_t kEnoughUnits = 32;  // so that some replicas can share even a small input

}  // namespace

int batch_size(const Job& job, Makes makes, bool gpu, std::size_t items) {
  if (job.dispatch.batch) return *job.dispatch.batch;
  if (makes == Makes::pictures || !gpu) return 1;
  return static_cast<int>(std::clamp<std::size_t>(items / kEnoughUnits, 1, kTextBatchOnGpu));
}

std::vector<Unit> form_units(const std::vector<Item>& items, int batch) {
  std::vector<Unit> units;
  for (const Item& item : items) {
    const std::uint64_t index = item.index / static_cast<std::uint64_t>(batch);
    if (units.empty() || units.back().index != index) units.push_back({index, {}, 1});
    units.back().items.push_back(item);
  }
  return units;
}

}  // namespace trireme
