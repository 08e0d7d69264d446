#pragma once
// The engine of a rank that holds the whole model and whose GPU has nothing to wait for: while one unit takes its
// steps, the next one's prompt is encoded and the one before is decoded, on a stream of their own. The steps' stream
// should have the higher priority: the rest fills what it leaves. Same kernels on same shapes as WholeModelEngine: same
// bits.

#include <chrono>
#include <deque>
#include <memory>

#include "worker/engine/engine.h"
#include "worker/engine/side_work.h"
#include "worker/engine/slices_in_flight.h"
#include "worker/engine/span_log.h"
#include "worker/queue.h"

namespace trireme {

class OverlappedEngine final : public Engine {
 public:
  struct Settings {
    std::size_t slices_in_flight = 8, side_slices_in_flight = 8;
    std::chrono::microseconds pass_budget{5000};  // host time of one call of progress
  };
  OverlappedEngine(Model& model, Settings settings);
  explicit OverlappedEngine(Model& model) : OverlappedEngine(model, Settings{}) {}
  ~OverlappedEngine() override;

  void submit(Unit unit) override { waiting_.push_back(std::move(unit)); }
  std::vector<Unit> recall() override { return take_all(waiting_); }
  bool progress() override;
  std::optional<Finished> take() override { return take_first(finished_); }
  bool idle() const override;
  std::uint64_t slices_done() const override { return in_flight_.done() + side_.slices_done(); }
  std::uint64_t tokens_done() const override { return 0; }  // pictures only
  PhaseSeconds seconds() const override { return seconds_; }
  std::vector<Span> spans() const override { return span_log_.spans(); }

 private:
  struct InHand;
  void prepare();
  bool step();
  bool adopt();
  bool plan_more();
  void leave(const std::string& error);
  bool collect();
  bool complete(const InHand& unit) const;
  Finished conclude(InHand& unit);
  void keep_times(const InHand& unit, PhaseSeconds& seconds);

  Model& model_;
  const Settings settings_;
  std::deque<Unit> waiting_;
  std::unique_ptr<InHand> ahead_;                // is being encoded, or is encoded and waits for its steps
  std::unique_ptr<InHand> current_;              // its steps are being enqueued
  std::deque<std::unique_ptr<InHand>> leaving_;  // all steps enqueued
  SlicesInFlight in_flight_;                     // of the steps
  std::deque<Finished> finished_;
  PhaseSeconds seconds_{};
  SpanLog span_log_;  // from the first unit's begin
  SideWork side_;     // last: its tasks are about the units above
};

}  // namespace trireme
