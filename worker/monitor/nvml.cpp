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

/// Nothing when `result` is no success.
template <class Into, class Value>
std::optional<Into> known(int result, Value value) {
  return result == kSuccess ? std::optional<Into>(static_cast<Into>(value)) : std::nullopt;
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

bool Nvml::ask(std::size_t place, Question question, GpuSample& into) const {
  const Device gpu = gpus_[place].device;
  Utilization busy{};
  Memory bytes{};
  unsigned value = 0;
  unsigned long long large = 0;
  int result = kSuccess;
  switch (question) {
    case Question::energy:
      result = library_->energy(gpu, &large);
      into.energy_joules = known<double>(result, static_cast<double>(large) / 1e3);
      break;
    case Question::ecc:
      result = library_->ecc_errors(gpu, kCorrected, kSinceDriver, &large);
      into.ecc_corrected = known<std::uint64_t>(result, large);
      result = library_->ecc_errors(gpu, kUncorrected, kSinceDriver, &large);
      into.ecc_uncorrected = known<std::uint64_t>(result, large);
      break;
    case Question::memory:
      result = library_->memory(gpu, &bytes);
      into.memory_used_bytes = known<std::uint64_t>(result, bytes.used);
      into.memory_total_bytes = known<std::uint64_t>(result, bytes.total);
      break;
    case Question::temperature:
      result = library_->temperature(gpu, kGpuTemperature, &value);
      into.temperature_c = known<double>(result, value);
      break;
    case Question::clock:
      result = library_->clock(gpu, kSmClock, &value);
      into.sm_mhz = known<double>(result, value);
      break;
    case Question::utilization:
      result = library_->utilization(gpu, &busy);
      into.utilization_percent = known<double>(result, busy.gpu);
      break;
    case Question::power:
      result = library_->power(gpu, &value);
      into.power_watts = known<double>(result, value / 1e3);
      break;
    case Question::throttling:
      result = library_->throttle_reasons(gpu, &large);
      into.throttled.clear();
      for (const auto& [bit, reason] : kReasons) {
        if (result == kSuccess && (large & bit) != 0) into.throttled.push_back(reason);
      }
      break;
  }
  return result == kSuccess;
}

}  // namespace trireme
