#pragma once
// Runs units through a model in slices, on one rank, beside the exchange. `progress` enqueues the next slices and
// collects what has finished; it returns after at most about 5 ms of host time and never waits on the GPU (on a CPU a
// slice is run, so one slice may take longer).

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "worker/engine/span.h"
#include "worker/models/model.h"

namespace trireme {

/// Seconds of device time (GPU events; wall clock on a CPU) a unit spent in each phase, indexed by Phase.
using PhaseSeconds = std::array<double, 4>;
inline void add_to(PhaseSeconds& sum, const PhaseSeconds& more) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += more[i];
}

struct Finished {
  Unit unit;
  std::vector<Result> results;  // one per item, in order
  PhaseSeconds seconds{};
};

class Engine {
 public:
  virtual ~Engine() = default;
  /// Takes a unit; units begin in the order given.
  virtual void submit(Unit unit) = 0;
  /// Units taken and not yet begun, given back (drain, recall); they leave the engine.
  virtual std::vector<Unit> recall() = 0;
  /// Returns true if it did anything.
  virtual bool progress() = 0;
  virtual std::optional<Finished> take() = 0;
  /// No unit is held: none waiting, in flight or finished and not taken.
  virtual bool idle() const = 0;
  /// Slices completed so far: what the watchdog looks at.
  virtual std::uint64_t slices_done() const = 0;
  /// Tokens written so far, those of units under way among them: for the progress line.
  virtual std::uint64_t tokens_done() const = 0;
  /// Work of this rank is under way: what is held does not merely wait for other ranks.
  virtual bool computing() const { return !idle(); }
  /// Seconds of device time that this rank spent in each phase so far.
  virtual PhaseSeconds seconds() const = 0;
  /// What the device did when, in order of its end; begins are in steady_seconds(). A job of days loses the later ones.
  virtual std::vector<Span> spans() const { return {}; }
  /// After the last unit: tells other ranks, which may wait for more. Then `progress` is called until `stopped`.
  virtual void stop() {}
  virtual bool stopped() const { return true; }
};

}  // namespace trireme
