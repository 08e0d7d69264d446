#pragma once
// A library with NVML's functions whose GPUs are what a test says. The test opens it as the worker does, by name.

namespace trireme::test {

struct FakeGpu {
  unsigned utilization = 0, temperature = 0, milliwatts = 0, sm_mhz = 0;
  unsigned long long memory_total = 0, memory_used = 0, millijoules = 0, throttle_reasons = 0;
  unsigned long long corrected = 0, uncorrected = 0;
  bool has_ecc = true, lost = false;
};

struct FakeNvml {
  int init_result = 0;
  int started = 0;  // initialised and not shut down
  unsigned gpus = 0;
  FakeGpu gpu[8];
};

}  // namespace trireme::test

/// Exported by the library: what its functions answer from.
extern "C" trireme::test::FakeNvml* fake_nvml();
