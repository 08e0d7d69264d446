#pragma once
// What the driver says of this node's GPUs, through NVML, question by question, for questions cost processor time:
// without a driver there are no answers, and nothing else changes. It makes no CUDA call and no context. Single
// thread; nothing fails: what can't be read is left out of the sample.

#include <memory>
#include <optional>
#include <vector>

#include "common/node_sample.h"
#include "worker/monitor/nvml_library.h"

namespace trireme {

class Nvml {
 public:
  enum class Question { energy, ecc, memory, temperature, clock, utilization, power, throttling };

  /// Nothing when there is no such library, it lacks a function, or the driver does not answer.
  static std::optional<Nvml> open(const char* library = "libnvidia-ml.so.1");

  /// The names of all GPUs that this process may see, in NVML's order.
  const std::vector<GpuSample>& gpus() const { return names_; }
  /// Of the GPU at `place` in `gpus()`: replaces what `into` says to the question. False when there is no answer.
  bool ask(std::size_t place, Question question, GpuSample& into) const;

 private:
  explicit Nvml(std::unique_ptr<nvml::Library> library);

  std::unique_ptr<nvml::Library> library_;
  std::vector<nvml::Library::Gpu> gpus_;
  std::vector<GpuSample> names_;
};

}  // namespace trireme
