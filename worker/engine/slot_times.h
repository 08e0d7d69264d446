#pragma once
// When a stage waited and worked for which slot, by events in its stream, and when beside the ring.

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "worker/device.h"
#include "worker/engine/span_log.h"
#include "worker/engine/unit_work.h"

namespace trireme {

/// Of a unit on this stage, from the stage's first slot.
struct UnitTimes {
  double begin = 0, first_pass_end = 0, end = 0;
  PhaseSeconds seconds{};
};

class SlotTimes {
 public:
  explicit SlotTimes(at::Device device) : device_(device), span_log_(device) {}

  /// From here on spans are kept; the first `begin` does it, too.
  void start_clock() { span_log_.start(); }
  /// The slot's group is about to be enqueued: from here on the stage waits.
  void wait();
  /// A slot's slices are enqueued between these two.
  void begin(std::uint64_t slot, std::uint64_t unit, int half, int pass);
  void phase(Phase phase);
  void end();
  /// Takes what the device has done.
  void collect();
  /// Work of a unit beside the ring that has ended.
  void add_side(std::uint64_t unit, const PhaseClock& clock);
  /// What the slots of a unit came to; forgets it.
  UnitTimes take_unit(std::uint64_t unit);

  const PhaseSeconds& phases() const { return phases_; }
  std::vector<Span> spans() const { return span_log_.spans(); }

 private:
  struct Open {
    Span time;
    device::Event waits, start;
    PhaseClock clock;
  };
  at::Device device_;
  SpanLog span_log_;
  device::Event waits_;
  std::deque<Open> open_;
  PhaseSeconds phases_{};
  std::map<std::uint64_t, UnitTimes> units_;
};

}  // namespace trireme
