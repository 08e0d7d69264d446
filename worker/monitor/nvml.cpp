#include "worker/monitor/nvml.h"

#include <array>
#include <string>
#include <utility>

#include "worker/monitor/nvml_library.h"

namespace trireme {
namespace {

using namespace nvml;
constexpr unsigned kNameBytes = 96;

/// Reasons for a low clock that take speed away from a GPU at work; idling and the user's own settings don't.
constexpr std::array<std::pair<unsigned long long, const char*>, 6> kReasons = {{{0x04, "power_cap"},
                                                                                 {0x08, "hardware"},
                                                                                 {0x10, "sync_boost"},
                                                                                 {0x20, "thermal"},
                                                                                 {0x40, "hardware_thermal"},
                                                                                 {0x80, "power_brake"}}};

GpuSample names_of(const Library& library, const Library::Gpu& gpu) {
  GpuSample sample;
  sample.index = static_cast<int>(gpu.index);
  std::array<char, kNameBytes> text{};
  if (library.uuid(gpu.device, text.data(), kNameBytes - 1) == kSuccess) sample.uuid = text.data();
  text.fill('\0');
  if (library.name(gpu.device, text.data(), kNameBytes - 1) == kSuccess) sample.name = text.data();
  return sample;
}

void read(const Library& library, Device gpu, GpuSample& into) {
  Utilization busy{};
  if (library.utilization(gpu, &busy) == kSuccess) into.utilization_percent = busy.gpu;
  Memory bytes{};
  if (library.memory(gpu, &bytes) == kSuccess) {
    into.memory_used_bytes = bytes.used;
    into.memory_total_bytes = bytes.total;
  }
  unsigned value = 0;
  if (library.temperature(gpu, kGpuTemperature, &value) == kSuccess) into.temperature_c = value;
  if (library.power(gpu, &value) == kSuccess) into.power_watts = value / 1e3;
  if (library.clock(gpu, kSmClock, &value) == kSuccess) into.sm_mhz = value;
  unsigned long long large = 0;
  if (library.energy(gpu, &large) == kSuccess) into.energy_joules = static_cast<double>(large) / 1e3;
  if (library.ecc_errors(gpu, kCorrected, kSinceDriver, &large) == kSuccess) into.ecc_corrected = large;
  if (library.ecc_errors(gpu, kUncorrected, kSinceDriver, &large) == kSuccess) into.ecc_uncorrected = large;
  if (library.throttle_reasons(gpu, &large) != kSuccess) return;
  for (const auto& [bit, reason] : kReasons) {
    if ((large & bit) != 0) into.throttled.push_back(reason);
  }
}

}  // namespace

Nvml::Nvml(std::unique_ptr<Library> library) : library_(std::move(library)), gpus_(library_->gpus()) {
  for (const Library::Gpu& gpu : gpus_) names_.push_back(names_of(*library_, gpu));
}

std::optional<Nvml> Nvml::open(const char* library) {
  auto opened = Library::open(library);
  if (!opened) return std::nullopt;
  return Nvml(std::move(opened));
}

std::vector<GpuSample> Nvml::sample() const {
  std::vector<GpuSample> samples = names_;
  for (std::size_t place = 0; place < samples.size(); ++place) read(*library_, gpus_[place].device, samples[place]);
  return samples;
}

}  // namespace trireme
