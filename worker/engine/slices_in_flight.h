#pragma once
// Slices that are enqueued on a device and not known to be done: an event each.

#include <cstddef>
#include <cstdint>
#include <deque>

#include "worker/device.h"

namespace trireme {

class SlicesInFlight {
 public:
  explicit SlicesInFlight(at::Device device) : device_(device) {}

  /// The slice that has just been enqueued on the current stream.
  void add() { ends_.emplace_back().record(device_); }
  /// Forgets those that are done; true if there were any.
  bool collect() {
    const std::uint64_t before = done_;
    for (; !ends_.empty() && ends_.front().done(); ends_.pop_front()) ++done_;
    return done_ > before;
  }
  std::size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  /// So far.
  std::uint64_t done() const { return done_; }

 private:
  at::Device device_;
  std::deque<device::Event> ends_;
  std::uint64_t done_ = 0;
};

}  // namespace trireme
