#pragma once
// What the driver says of this node's GPUs, through NVML, which is opened at run time: without a driver there are no
// readings, and nothing else changes. It makes no CUDA call and no context. Single thread; nothing fails: what can't be
// read is left out of the sample. Ref: NVML API reference, device queries.

#include <memory>
#include <optional>
#include <vector>

#include "common/node_sample.h"

namespace trireme {

class Nvml {
 public:
  /// Nothing when there is no such library, it lacks a function, or the driver does not answer.
  static std::optional<Nvml> open(const char* library = "libnvidia-ml.so.1");
  Nvml(Nvml&&) noexcept;
  ~Nvml();

  /// Of all GPUs that this process may see, in NVML's order; of one that is lost only its names.
  std::vector<GpuSample> sample() const;

  /// What a question to the driver costs this thread, in seconds of processor time.
  struct Cost {
    int gpu;
    const char* question;
    double first, again;  // the first time; the median of the further ones
  };
  /// Asks every question of every GPU `times` + 1 times, one question after the other.
  std::vector<Cost> costs(int times) const;

 private:
  struct Library;
  explicit Nvml(std::unique_ptr<Library> library);
  std::unique_ptr<Library> library_;
};

}  // namespace trireme
