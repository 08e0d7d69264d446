#pragma once
// A library with NVML's functions whose GPUs are what a test says. The test opens it as the worker does, by name. To a
// program that a test starts the variable FAKE_NVML says how its GPUs are, one a group of words:
// "temperature=90; memory_percent=95 throttle_reasons=64"; what a group does not name is that of a healthy GPU at work.

namespace trireme::test {

struct FakeGpu {
  unsigned utilization = 0, temperature = 0, milliwatts = 0, sm_mhz = 0;
  unsigned long long memory_total = 0, memory_used = 0, millijoules = 0, throttle_reasons = 0;
  unsigned long long corrected = 0, uncorrected = 0;
  bool has_ecc = true, lost = false;
};

/// At work, and nothing wrong with it.
constexpr FakeGpu kHealthyGpu = {.utilization = 97,
                                 .temperature = 61,
                                 .milliwatts = 651'500,
                                 .sm_mhz = 1755,
                                 .memory_total = 80ull << 30,
                                 .memory_used = 40ull << 30,
                                 .millijoules = 5'000'250};

/// Of one question to one GPU, in seconds of processor time.
struct FakeCosts {
  double energy = 0, ecc_kind = 0, memory = 0, temperature = 0, clock = 0, utilization = 0, power = 0, throttling = 0;
};

struct FakeNvml {
  int init_result = 0;
  int started = 0;  // initialised and not shut down
  unsigned gpus = 0;
  FakeGpu gpu[8];
  FakeCosts costs;
  double cpu_seconds = 0;  // what the questions have cost, on a processor clock of their own
};

}  // namespace trireme::test

/// Exported by the library: what its functions answer from.
extern "C" trireme::test::FakeNvml* fake_nvml();
