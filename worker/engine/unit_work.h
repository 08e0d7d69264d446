#pragma once
// What engines share about one unit: where its phases begin in the stream, the slices of a pass, and which exceptions
// are an item's and not the job's.

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "worker/device.h"
#include "worker/engine/engine.h"

namespace trireme {

/// Seconds of each phase of a unit, from events between its slices.
class PhaseClock {
 public:
  explicit PhaseClock(at::Device device) : device_(device) {}
  /// The slices enqueued from here on are of this phase.
  void enter(Phase phase);
  void end();
  bool closed() const { return closed_; }
  bool ended() const { return end_.done(); }
  const device::Event& end_event() const { return end_; }
  /// Once ended.
  PhaseSeconds seconds() const;
  /// Once ended: each phase with its begin and its end.
  void for_each(const std::function<void(Phase, const device::Event&, const device::Event&)>& visit) const;

 private:
  struct Mark {
    Phase phase;
    device::Event start;
  };
  at::Device device_;
  std::vector<Mark> marks_;
  device::Event end_;
  bool closed_ = false;
};

/// Appends the slices of one half of a pass, on a rank that holds the whole model.
void plan_half(Model& model, Session& session, int half, Slices& slices);
/// Of the whole pass: every half, then the step.
void plan_pass(Model& model, Session& session, Slices& slices);

/// Why, when it was thrown because the device has no memory left.
std::optional<std::string> memory_shortage(const std::exception& error);
/// Why items fail for which memory was short, and what would be right: one line.
std::string shortage_text(const std::string& why);
/// Such a line.
bool tells_of_shortage(const std::string& error);

/// Runs `work`; returns why the unit fails, if it does. Errors of the program pass through.
std::optional<std::string> failure_of(const std::function<void()>& work);

}  // namespace trireme
