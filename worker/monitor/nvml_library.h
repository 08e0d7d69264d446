#pragma once
// NVML's own interface, as far as the monitor uses it, opened at run time. Its functions return 0 when they have
// succeeded. Ref: NVML API reference, device queries.

#include <memory>
#include <vector>

namespace trireme::nvml {

using Device = void*;
struct Utilization {
  unsigned gpu, memory;
};
struct Memory {
  unsigned long long total, free, used;
};
constexpr int kSuccess = 0, kGpuTemperature = 0, kSmClock = 1, kCorrected = 0, kUncorrected = 1, kSinceDriver = 0;

class Library {
 public:
  /// Nothing when there is no such library, it lacks a function, or the driver does not answer.
  static std::unique_ptr<Library> open(const char* name);
  ~Library();
  Library(const Library&) = delete;

  /// Those that this user may see and that are not lost, with NVML's number.
  struct Gpu {
    unsigned index;
    Device device;
  };
  std::vector<Gpu> gpus() const;

  /// False when the library does not have it.
  template <class Function>
  bool find(Function& function, const char* symbol) const {
    function = reinterpret_cast<Function>(address(symbol));
    return function != nullptr;
  }

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

 private:
  Library() = default;
  void* address(const char* symbol) const;
  bool find_all();

  void* handle_ = nullptr;
  bool initialised_ = false;
  int (*init_)() = nullptr;
  int (*shutdown_)() = nullptr;
  int (*count_)(unsigned*) = nullptr;
  int (*device_)(unsigned, Device*) = nullptr;
};

}  // namespace trireme::nvml
