#include "worker/monitor/nvml_library.h"

#include <dlfcn.h>

namespace trireme::nvml {

std::unique_ptr<Library> Library::open(const char* name) {
  std::unique_ptr<Library> library(new Library());
  library->handle_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (library->handle_ == nullptr || !library->find_all()) return nullptr;
  library->initialised_ = library->init_() == kSuccess;
  return library->initialised_ ? std::move(library) : nullptr;
}

Library::~Library() {
  if (initialised_) shutdown_();
  if (handle_ != nullptr) dlclose(handle_);
}

void* Library::address(const char* symbol) const { return dlsym(handle_, symbol); }

bool Library::find_all() {
  return find(init_, "nvmlInit_v2") && find(shutdown_, "nvmlShutdown") && find(count_, "nvmlDeviceGetCount_v2") &&
         find(device_, "nvmlDeviceGetHandleByIndex_v2") && find(uuid, "nvmlDeviceGetUUID") &&
         find(name, "nvmlDeviceGetName") && find(utilization, "nvmlDeviceGetUtilizationRates") &&
         find(memory, "nvmlDeviceGetMemoryInfo") && find(temperature, "nvmlDeviceGetTemperature") &&
         find(power, "nvmlDeviceGetPowerUsage") && find(energy, "nvmlDeviceGetTotalEnergyConsumption") &&
         find(clock, "nvmlDeviceGetClockInfo") && find(throttle_reasons, "nvmlDeviceGetCurrentClocksThrottleReasons") &&
         find(ecc_errors, "nvmlDeviceGetTotalEccErrors");
}

std::vector<Library::Gpu> Library::gpus() const {
  std::vector<Gpu> gpus;
  unsigned number = 0;
  if (count_(&number) != kSuccess) return gpus;
  for (unsigned index = 0; index < number; ++index) {
    Device device = nullptr;
    if (device_(index, &device) == kSuccess) gpus.push_back({index, device});
  }
  return gpus;
}

}  // namespace trireme::nvml
