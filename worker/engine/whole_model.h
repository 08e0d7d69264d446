#pragma once
// The engine of a rank that holds the whole model: one unit at a time enters the device's queue, the next one begins
// while the last slices of the one before are still in flight. Where layers come from the host (memory.offload) some
// units enter together, and each takes a layer before the next one comes. A unit for which memory was short begins
// again when it is alone on the device, whose unused memory has been freed.

#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "common/errors.h"
#include "worker/device.h"
#include "worker/engine/engine.h"
#include "worker/engine/slices_in_flight.h"
#include "worker/engine/span_log.h"
#include "worker/engine/unit_in_hand.h"
#include "worker/queue.h"

namespace trireme {

class WholeModelEngine final : public Engine {
 public:
  struct Settings {
    std::size_t slices_in_flight = 8;  // a slice is about a hundred launches, a stream holds about a thousand
    std::chrono::microseconds pass_budget{5000};  // host time of one call of progress
    std::size_t units_at_once = 1;
    bool degrade = false;       // memory.on_oom
    bool tried_before = false;  // memory was short for the units once already
  };
  WholeModelEngine(Model& model, Settings settings);
  explicit WholeModelEngine(Model& model) : WholeModelEngine(model, Settings{}) {}
  ~WholeModelEngine() override;

  void submit(Unit unit) override { waiting_.push_back(std::move(unit)); }
  std::vector<Unit> recall() override { return take_all(waiting_); }
  bool progress() override;
  std::optional<Finished> take() override { return take_first(finished_); }
  bool idle() const override;
  std::uint64_t slices_done() const override { return in_flight_.done(); }
  std::uint64_t tokens_done() const override;
  PhaseSeconds seconds() const override { return seconds_; }
  std::vector<Span> spans() const override { return span_log_.spans(); }

 private:
  bool fill();
  void take_up(std::unique_ptr<UnitInHand> unit);
  std::size_t choose();
  void run_slice();
  void set_aside(std::size_t place);
  void complete(std::size_t place);
  bool collect();

  Model& model_;
  const Settings settings_;
  std::deque<Unit> waiting_;
  std::deque<std::unique_ptr<UnitInHand>> short_;       // memory was short: they go on one by one
  std::vector<std::unique_ptr<UnitInHand>> current_;    // their slices are being enqueued
  std::deque<std::unique_ptr<UnitInHand>> completing_;  // all enqueued, not all done
  int layer_ = kResident;                               // Slice::layer of the last slice that had one
  std::uint64_t at_work_ = 0;                           // index of the unit that had the last slice
  SlicesInFlight in_flight_;
  std::deque<Finished> finished_;
  std::uint64_t tokens_done_ = 0;
  PhaseSeconds seconds_{};
  SpanLog span_log_;  // from the first unit's begin
};

}  // namespace trireme
