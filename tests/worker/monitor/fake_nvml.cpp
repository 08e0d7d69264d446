#include "tests/worker/monitor/fake_nvml.h"

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

namespace {

using trireme::test::FakeGpu;
constexpr int kNotSupported = 3, kLost = 15;

trireme::test::FakeNvml& state() { return *fake_nvml(); }

template <class Number>
int answer(void* device, Number* into, Number value, double cost) {
  state().cpu_seconds += cost;
  if (static_cast<FakeGpu*>(device)->lost) return kLost;
  *into = value;
  return 0;
}

FakeGpu& of(void* device) { return *static_cast<FakeGpu*>(device); }

FakeGpu read_gpu(const std::string& group) {
  FakeGpu gpu = trireme::test::kHealthyGpu;
  std::istringstream words(group);
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const unsigned long long value = std::strtoull(word.c_str() + equals + 1, nullptr, 0);
    if (key == "temperature") gpu.temperature = static_cast<unsigned>(value);
    if (key == "memory_percent") gpu.memory_used = gpu.memory_total / 100 * value;
    if (key == "throttle_reasons") gpu.throttle_reasons = value;
    if (key == "uncorrected") gpu.uncorrected = value;
  }
  return gpu;
}

trireme::test::FakeNvml read_variable() {
  trireme::test::FakeNvml fake;
  const char* text = std::getenv("FAKE_NVML");
  std::istringstream groups(text == nullptr ? "" : text);
  for (std::string group; std::getline(groups, group, ';');) fake.gpu[fake.gpus++] = read_gpu(group);
  return fake;
}

}  // namespace

extern "C" {

struct FakeUtilization {
  unsigned gpu, memory;
};
struct FakeMemory {
  unsigned long long total, free, used;
};

trireme::test::FakeNvml* fake_nvml() {
  static trireme::test::FakeNvml fake = read_variable();
  return &fake;
}

int nvmlInit_v2() {
  if (state().init_result == 0) ++state().started;
  return state().init_result;
}
int nvmlShutdown() {
  --state().started;
  return 0;
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = state().gpus;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = &state().gpu[index];
  return 0;
}
int nvmlDeviceGetUUID(void* device, char* text, unsigned length) {
  std::snprintf(text, length, "GPU-%td", static_cast<FakeGpu*>(device) - state().gpu);
  return 0;
}
int nvmlDeviceGetName(void*, char* text, unsigned length) {
  std::snprintf(text, length, "Fake GPU");
  return 0;
}
int nvmlDeviceGetUtilizationRates(void* device, FakeUtilization* into) {
  return answer(device, into, FakeUtilization{of(device).utilization, 0}, state().costs.utilization);
}
int nvmlDeviceGetMemoryInfo(void* device, FakeMemory* into) {
  const FakeGpu& gpu = of(device);
  const FakeMemory memory{gpu.memory_total, gpu.memory_total - gpu.memory_used, gpu.memory_used};
  return answer(device, into, memory, state().costs.memory);
}
int nvmlDeviceGetTemperature(void* device, int sensor, unsigned* into) {
  return sensor == 0 ? answer(device, into, of(device).temperature, state().costs.temperature) : kNotSupported;
}
int nvmlDeviceGetPowerUsage(void* device, unsigned* into) {
  return answer(device, into, of(device).milliwatts, state().costs.power);
}
int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* into) {
  return answer(device, into, of(device).millijoules, state().costs.energy);
}
int nvmlDeviceGetClockInfo(void* device, int clock, unsigned* into) {
  return clock == 1 ? answer(device, into, of(device).sm_mhz, state().costs.clock) : kNotSupported;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void* device, unsigned long long* into) {
  return answer(device, into, of(device).throttle_reasons, state().costs.throttling);
}
int nvmlDeviceGetTotalEccErrors(void* device, int kind, int counter, unsigned long long* into) {
  if (!of(device).has_ecc || counter != 0) return kNotSupported;
  return answer(device, into, kind == 0 ? of(device).corrected : of(device).uncorrected, state().costs.ecc_kind);
}

}  // extern "C"
