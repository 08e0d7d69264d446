#pragma once
// What a rank's device did from when to when, by events in its streams. Owned by its engine.

#include <cstdint>
#include <vector>

#include "worker/device.h"
#include "worker/engine/span.h"

namespace trireme {

class SpanLog {
 public:
  explicit SpanLog(at::Device device) : device_(device) {}

  /// Seconds count from the first call on.
  void start();
  bool started() const { return zero_seconds_ != 0; }
  /// From the start to an event that is done.
  double seconds_at(const device::Event& event) const { return event.seconds_since(zero_); }
  /// Span::begin counts from the start. Those behind the first kMostSpans are lost.
  void add(const Span& span);
  /// Between two events that are done.
  void add(Phase phase, std::uint64_t unit, const device::Event& begin, const device::Event& end);
  /// In the order in which they were added; begins are in steady_seconds().
  std::vector<Span> spans() const;

 private:
  at::Device device_;
  device::Event zero_;
  double zero_seconds_ = 0;  // steady_seconds() of it; 0: not started
  std::vector<Span> spans_;  // from zero_
};

}  // namespace trireme
