#include "worker/models/room.h"

#include <array>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "common/host.h"
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
  std::uint64_t bytes = 0, capacity = 0;            // on the device
  std::uint64_t host_bytes = 0, host_capacity = 0;  // memory.offload
  std::string host;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Share, stage, layers, bytes, capacity, host_bytes, host_capacity, host)

std::string remedy(const ModelSettings& settings) {
  const std::string more =
      "use more stages than " + std::to_string(settings.stage.count) + ", which trireme plan can choose";
  return settings.job.memory.offload == "layers" ? more : more + ", or memory.offload: layers";
}

void refuse(int rank, const Share& share, const ModelSettings& settings) {
  const double fraction = settings.job.memory.fraction;
  const double room = fraction * static_cast<double>(share.capacity);
  if (share.capacity == 0 || static_cast<double>(share.bytes) <= room) return;
  char fraction_text[32];
  std::snprintf(fraction_text, sizeof fraction_text, "%g", fraction);
  throw ConfigError(settings.job.file.string() + ": parallel.stages: the weights of rank " + std::to_string(rank) +
                    " are " + gib(static_cast<double>(share.bytes)) + ", its memory is " +
                    gib(static_cast<double>(share.capacity)) + " and memory.fraction " + fraction_text +
                    " of that is " + gib(room) + "; " + remedy(settings));
}

/// What the ranks of each host keep there together.
void refuse_full_hosts(const std::vector<Share>& shares, const ModelSettings& settings) {
  std::map<std::string, std::uint64_t> kept;
  for (const Share& share : shares) {
    const std::uint64_t bytes = kept[share.host] += share.host_bytes;
    if (share.host_capacity == 0 || bytes <= share.host_capacity) continue;
    throw ConfigError(settings.job.file.string() + ": memory.offload: the ranks of host " + share.host +
                      " would keep " + gib(static_cast<double>(bytes)) + " of weights in its memory of " +
                      gib(static_cast<double>(share.host_capacity)) + "; use fewer ranks a host, or none");
  }
}

}  // namespace

void require_room(const PartParameters& wanted, const ModelSettings& settings, const Layers& own,
                  Transport& transport) {
  const ParameterBytes bytes = count_bytes(wanted, settings.dtype);
  const Share mine{settings.stage.index, layers_text(own),           bytes.device, device::capacity(settings.device),
                   bytes.host,           device::capacity(at::kCPU), host_name()};
  std::vector<Share> shares;
  for (const Bytes& share : transport.gather(to_bytes(nlohmann::json(mine).dump()), 0)) {
    shares.push_back(nlohmann::json::parse(as_text(share)).get<Share>());
  }
  refuse_full_hosts(shares, settings);
  for (std::size_t rank = 0; rank < shares.size(); ++rank) {
    const Share& share = shares[rank];
    refuse(static_cast<int>(rank), share, settings);
    if (settings.stage.count == 1 || rank >= static_cast<std::size_t>(settings.stage.count)) continue;
    std::fprintf(stderr, "trireme: stage %d of %d: layers %s, %s of weights\n", share.stage, settings.stage.count,
                 share.layers.c_str(), gib(static_cast<double>(share.bytes)).c_str());
  }
}

}  // namespace trireme
