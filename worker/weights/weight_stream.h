#pragma once
// Weights of layers that stay in the host's memory and visit the device one layer at a time (memory.offload), through
// two buffers: while a layer computes in one, the next is copied into the other on a stream of its own. Events keep the
// two apart: the compute stream waits for a layer's copy, the copy for the last use of what it overwrites. The host
// waits for neither. Values, shapes and alignment are those of weights that stay, so the results are the same bits.
// A CPU runs the same code with plain copies.
//
// Owned by the model, one for each chain of layers that are visited in a circle, such as those of every pass. Used by
// the rank's thread alone, on any of its streams.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "worker/device.h"
#include "worker/weights/parameters.h"

namespace trireme {

inline constexpr int kStreamBuffers = 2;

class WeightStream {
 public:
  /// Not `active`: the layers stay on the device, and everything below does nothing but run the work. `first_place`:
  /// of its layers among all that a unit visits.
  WeightStream(at::Device device, bool active, int first_place);
  WeightStream(const WeightStream&) = delete;

  bool active() const { return active_; }
  /// One layer more: what `parameters` want so far under `prefix`. In the order of the visits; the caller's `key` is
  /// unique. Before the weights are loaded.
  void add_layer(int key, Parameters& parameters, const std::string& prefix);
  /// Of the layer among all that a unit visits.
  int place(int key) const { return first_place_ + static_cast<int>(index_of(key)); }
  /// Runs `work`, which enqueues what uses the layer on the current stream; its slots hold tensors only meanwhile.
  /// Visits of the same layer in a row share one copy. The layer behind it in the circle is on its way meanwhile.
  void visit(int key, const std::function<void()>& work);

  /// Copies to the device so far.
  std::uint64_t copies() const { return copies_; }

 private:
  struct Buffer {
    at::Tensor memory;                           // uint8, on the device
    std::vector<std::vector<at::Tensor>> views;  // of each layer's slots in it
    int layer = -1;                              // that it holds, or that is on its way to it
    device::Event copied, used;
  };
  std::size_t index_of(int key) const;
  void prepare();
  Buffer* find(int layer);
  void copy(int layer, Buffer& buffer);

  const at::Device device_;
  const bool active_;
  const int first_place_;
  std::vector<int> keys_;
  std::vector<std::unique_ptr<HostLayer>> layers_;  // addresses stay: parameters refer to them
  std::array<Buffer, kStreamBuffers> buffers_;
  std::unique_ptr<device::Stream> stream_;  // of the copies; null until the first visit
  std::uint64_t copies_ = 0;
};

}  // namespace trireme
