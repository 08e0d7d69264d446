#include "worker/monitor/nvml.h"

#include <dlfcn.h>

#include <array>
#include <string>
#include <utility>

#include "common/cpu_clock.h"
#include "common/median.h"

namespace trireme {
namespace {

// NVML's interface, as far as it is used. Its functions return 0 when they have succeeded.
using Device = void*;
struct Utilization {
  unsigned gpu, memory;
};
struct Memory {
  unsigned long long total, free, used;
};
constexpr int kSuccess = 0, kGpuTemperature = 0, kSmClock = 1, kCorrected = 0, kUncorrected = 1, kSinceDriver = 0;
constexpr unsigned kNameBytes = 96;

/// Reasons for a low clock that take speed away from a GPU at work; idling and the user's own settings don't.
constexpr std::array<std::pair<unsigned long long, const char*>, 6> kReasons = {{{0x04, "power_cap"},
                                                                                 {0x08, "hardware"},
                                                                                 {0x10, "sync_boost"},
                                                                                 {0x20, "thermal"},
                                                                                 {0x40, "hardware_thermal"},
                                                                                 {0x80, "power_brake"}}};

enum class Question { utilization, memory, temperature, power, energy, clock, ecc, throttling };
constexpr std::array<std::pair<Question, const char*>, 8> kQuestions = {{{Question::utilization, "utilization"},
                                                                         {Question::memory, "memory"},
                                                                         {Question::temperature, "temperature"},
                                                                         {Question::power, "power"},
                                                                         {Question::energy, "energy"},
                                                                         {Question::clock, "clock"},
                                                                         {Question::ecc, "ecc"},
                                                                         {Question::throttling, "throttling"}}};

struct CloseLibrary {
  void operator()(void* handle) const { dlclose(handle); }
};

}  // namespace

struct Nvml::Library {
  std::unique_ptr<void, CloseLibrary> handle;
  bool initialised = false;
  std::vector<Device> devices;
  std::vector<GpuSample> names;  // what never changes of them

  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*count)(unsigned*) = nullptr;
  int (*device)(unsigned, Device*) = nullptr;
  int (*uuid)(Device, char*, unsigned) = nullptr;
  int (*name)(Device, char*, unsigned) = nullptr;
  int (*utilization)(Device, Utilization*) = nullptr;
  int (*memory)(Device, Memory*) = nullptr;
  int (*temperature)(Device, int, unsigned*) = nullptr;
  int (*power)(Device, unsigned*) = nullptr;             // mW
  int (*energy)(Device, unsigned long long*) = nullptr;  // mJ
  int (*clock)(Device, int, unsigned*) = nullptr;        // MHz
  int (*throttle_reasons)(Device, unsigned long long*) = nullptr;
  int (*ecc_errors)(Device, int, int, unsigned long long*) = nullptr;

  ~Library() {
    if (initialised) shutdown();
  }

  template <class Function>
  bool find(Function& function, const char* symbol) {
    function = reinterpret_cast<Function>(dlsym(handle.get(), symbol));
    return function != nullptr;
  }

  bool find_all() {
    return find(init, "nvmlInit_v2") && find(shutdown, "nvmlShutdown") && find(count, "nvmlDeviceGetCount_v2") &&
           find(device, "nvmlDeviceGetHandleByIndex_v2") && find(uuid, "nvmlDeviceGetUUID") &&
           find(name, "nvmlDeviceGetName") && find(utilization, "nvmlDeviceGetUtilizationRates") &&
           find(memory, "nvmlDeviceGetMemoryInfo") && find(temperature, "nvmlDeviceGetTemperature") &&
           find(power, "nvmlDeviceGetPowerUsage") && find(energy, "nvmlDeviceGetTotalEnergyConsumption") &&
           find(clock, "nvmlDeviceGetClockInfo") &&
           find(throttle_reasons, "nvmlDeviceGetCurrentClocksThrottleReasons") &&
           find(ecc_errors, "nvmlDeviceGetTotalEccErrors");
  }

  void find_devices() {
    unsigned number = 0;
    if (count(&number) != kSuccess) return;
    for (unsigned index = 0; index < number; ++index) {
      Device found = nullptr;
      if (device(index, &found) != kSuccess) continue;  // not for this user, or lost
      GpuSample names_of;
      names_of.index = static_cast<int>(index);
      std::array<char, kNameBytes> text{};
      if (uuid(found, text.data(), kNameBytes - 1) == kSuccess) names_of.uuid = text.data();
      text.fill('\0');
      if (name(found, text.data(), kNameBytes - 1) == kSuccess) names_of.name = text.data();
      devices.push_back(found);
      names.push_back(names_of);
    }
  }

  void read(std::size_t place, Question question, GpuSample& into) const;
};

void Nvml::Library::read(std::size_t place, Question question, GpuSample& into) const {
  const Device gpu = devices[place];
  Utilization busy{};
  Memory bytes{};
  unsigned value = 0;
  unsigned long long large = 0;
  switch (question) {
    case Question::utilization:
      if (utilization(gpu, &busy) == kSuccess) into.utilization_percent = busy.gpu;
      break;
    case Question::memory:
      if (memory(gpu, &bytes) != kSuccess) break;
      into.memory_used_bytes = bytes.used;
      into.memory_total_bytes = bytes.total;
      break;
    case Question::temperature:
      if (temperature(gpu, kGpuTemperature, &value) == kSuccess) into.temperature_c = value;
      break;
    case Question::power:
      if (power(gpu, &value) == kSuccess) into.power_watts = value / 1e3;
      break;
    case Question::energy:
      if (energy(gpu, &large) == kSuccess) into.energy_joules = static_cast<double>(large) / 1e3;
      break;
    case Question::clock:
      if (clock(gpu, kSmClock, &value) == kSuccess) into.sm_mhz = value;
      break;
    case Question::ecc:
      if (ecc_errors(gpu, kCorrected, kSinceDriver, &large) == kSuccess) into.ecc_corrected = large;
      if (ecc_errors(gpu, kUncorrected, kSinceDriver, &large) == kSuccess) into.ecc_uncorrected = large;
      break;
    case Question::throttling:
      if (throttle_reasons(gpu, &large) != kSuccess) break;
      for (const auto& [bit, reason] : kReasons) {
        if ((large & bit) != 0) into.throttled.push_back(reason);
      }
      break;
  }
}

Nvml::Nvml(std::unique_ptr<Library> library) : library_(std::move(library)) {}
Nvml::Nvml(Nvml&&) noexcept = default;
Nvml::~Nvml() = default;

std::optional<Nvml> Nvml::open(const char* library) {
  auto opened = std::make_unique<Library>();
  opened->handle.reset(dlopen(library, RTLD_NOW | RTLD_LOCAL));
  if (!opened->handle || !opened->find_all()) return std::nullopt;
  opened->initialised = opened->init() == kSuccess;
  if (!opened->initialised) return std::nullopt;
  opened->find_devices();
  return Nvml(std::move(opened));
}

std::vector<GpuSample> Nvml::sample() const {
  std::vector<GpuSample> gpus = library_->names;
  for (std::size_t place = 0; place < gpus.size(); ++place) {
    for (const auto& [question, name] : kQuestions) library_->read(place, question, gpus[place]);
  }
  return gpus;
}

std::vector<Nvml::Cost> Nvml::costs(int times) const {
  std::vector<Cost> costs;
  for (std::size_t place = 0; place < library_->devices.size(); ++place) {
    for (const auto& [question, name] : kQuestions) {
      std::vector<double> seconds;
      for (int i = 0; i <= times; ++i) {
        GpuSample sample;
        const double before = thread_cpu_seconds();
        library_->read(place, question, sample);
        seconds.push_back(thread_cpu_seconds() - before);
      }
      costs.push_back(
          {library_->names[place].index, name, seconds.front(), median({seconds.begin() + 1, seconds.end()})});
    }
  }
  return costs;
}

}  // namespace trireme
