#pragma once
// What the driver says of this node's GPUs, through NVML: without a driver there are no readings, and nothing else
// changes. It makes no CUDA call and no context. Single thread; nothing fails: what can't be read is left out of the
// sample.

#include <memory>
#include <optional>
#include <vector>

#include "common/node_sample.h"
#include "worker/monitor/nvml_library.h"

namespace trireme {

class Nvml {
 public:
  /// Nothing when there is no such library, it lacks a function, or the driver does not answer.
  static std::optional<Nvml> open(const char* library = "libnvidia-ml.so.1");

  /// Of all GPUs that this process may see, in NVML's order; of one that is lost only its names.
  std::vector<GpuSample> sample() const;

 private:
  explicit Nvml(std::unique_ptr<nvml::Library> library);

  std::unique_ptr<nvml::Library> library_;
  std::vector<nvml::Library::Gpu> gpus_;
  std::vector<GpuSample> names_;  // what never changes of them
};

}  // namespace trireme
