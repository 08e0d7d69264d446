#include "worker/models/room.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "common/log.h"
#include "worker/device.h"
#include "worker/weights/storage.h"

namespace trireme {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;

std::string gib(double bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), bytes < 0.01 * kGiB ? "%.6f GiB" : "%.2f GiB", bytes / kGiB);
  return text.data();
}

std::string layers_text(const Layers& own) {
  const auto border = [](int layer, bool middle) { return std::to_string(layer) + (middle ? ".5" : ""); };
  return border(own.first, own.skips_attention) + " to " +
         border(own.skips_feed_forward ? own.last - 1 : own.last, own.skips_feed_forward);
}

struct Share {
  int stage = 0;
  std::string layers;
  std::uint64_t bytes = 0, capacity = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Share, stage, layers, bytes, capacity)

void refuse(int rank, const Share& share, const ModelSettings& settings) {
  const double fraction = settings.job.memory.fraction;
  const double room = fraction * static_cast<double>(share.capacity);
  if (share.capacity == 0 || static_cast<double>(share.bytes) <= room) return;
  char fraction_text[32];
  std::snprintf(fraction_text, sizeof fraction_text, "%g", fraction);
  throw ConfigError(settings.job.file.string() + ": parallel.stages: the weights of rank " + std::to_string(rank) +
                    " are " + gib(static_cast<double>(share.bytes)) + ", its memory is " +
                    gib(static_cast<double>(share.capacity)) + " and memory.fraction " + fraction_text +
                    " of that is " + gib(room) + "; use more stages than " + std::to_string(settings.stage.count) +
                    ", which trireme plan can choose");
}

}  // namespace

std::uint64_t bytes_of(const PartParameters& wanted, at::ScalarType dtype) {
  std::uint64_t bytes = 0;
  for_each_slot(wanted, [&](const Parameters::Want&, const std::vector<std::int64_t>& shape) {
    std::uint64_t elements = 1;
    for (const std::int64_t size : shape) elements *= static_cast<std::uint64_t>(size);
    bytes += elements * at::elementSize(dtype);
  });
  return bytes;
}

void require_room(const PartParameters& wanted, const ModelSettings& settings, const Layers& own,
                  Transport& transport) {
  const Share mine{settings.stage.index, layers_text(own), bytes_of(wanted, settings.dtype),
                   device::capacity(settings.device)};
  const std::vector<Bytes> all = transport.gather(to_bytes(nlohmann::json(mine).dump()), 0);
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    const Share share = nlohmann::json::parse(as_text(all[rank])).get<Share>();
    refuse(static_cast<int>(rank), share, settings);
    if (settings.stage.count == 1 || rank >= static_cast<std::size_t>(settings.stage.count)) continue;
    std::fprintf(stderr, "trireme: stage %d of %d: layers %s, %s of weights\n", share.stage, settings.stage.count,
                 share.layers.c_str(), gib(static_cast<double>(share.bytes)).c_str());
  }
}

}  // namespace trireme
