#include "common/batches.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <tuple>

namespace trireme {
namespace {

// Part of what bits depend on: kNumericTables is raised with them.
constexpr std::size_t kTextBatchOnGpu = 16;
constexpr std::size_t kEnoughUnits = 32;  // so that some replicas can share even a small input

/// As measured (docs/performance.md): pictures up to so many pixels, this many together. Smaller sizes first.
struct Entry {
  const char* device;
  std::int64_t pixels;
  int pictures;
};
constexpr std::array<Entry, 1> kTable{{{"H200", 512 * 512, 4}}};

/// What all items of a unit have in common.
auto kind(const Item& item) {
  return std::tie(item.width, item.height, item.steps, item.guidance, item.cfg_truncation, item.cfg_normalization,
                  item.shift, item.sampler);
}

int enough(std::size_t items, std::size_t most) {
  return static_cast<int>(std::clamp<std::size_t>(items / kEnoughUnits, 1, most));
}

}  // namespace

int pictures_together(std::string_view device, int width, int height) {
  const std::int64_t pixels = static_cast<std::int64_t>(width) * height;
  for (const Entry& entry : kTable) {
    if (device.find(entry.device) != std::string_view::npos && pixels <= entry.pixels) return entry.pictures;
  }
  return 1;
}

Batching choose_batches(const Job& job, const SamplingDefaults& defaults, std::string_view device,
                        const std::vector<Item>& items) {
  if (job.dispatch.batch) return *job.dispatch.batch;
  if (device == "cpu") return 1;
  if (defaults.makes == Makes::text) return enough(items.size(), kTextBatchOnGpu);
  if (!defaults.batches || job.parallel.stages > 1 || job.parallel.guidance > 1) return 1;
  int most = 1;
  for (const Item& item : items) most = std::max(most, pictures_together(device, item.width, item.height));
  most = enough(items.size(), static_cast<std::size_t>(most));
  return most == 1 ? Batching(1) : Batching(most, device);
}

bool made_together(const Item& a, const Item& b) { return kind(a) == kind(b); }

std::vector<Unit> form_units(const std::vector<Item>& items, const Batching& batching,
                             const std::vector<int>& captions) {
  std::vector<std::size_t> order(items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto caption = [&](std::size_t i) { return captions.empty() ? 0 : captions[i]; };
  if (batching.most > 1) {
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      const auto kind_a = kind(items[a]), kind_b = kind(items[b]);
      return kind_a != kind_b ? kind_a < kind_b : caption(a) < caption(b);
    });
  }
  const auto limit = [&](const Item& item) {
    if (batching.device.empty()) return batching.most;
    return std::min(batching.most, pictures_together(batching.device, item.width, item.height));
  };
  std::vector<Unit> units;
  for (const std::size_t i : order) {
    const Item& item = items[i];
    const bool joins = !units.empty() && made_together(units.back().items.front(), item) &&
                       static_cast<int>(units.back().items.size()) < limit(item);
    if (!joins) units.push_back({item.index, {}, 1});
    units.back().items.push_back(item);
  }
  std::sort(units.begin(), units.end(), [](const Unit& a, const Unit& b) { return a.index < b.index; });
  return units;
}

}  // namespace trireme
