#pragma once
// The engine of a rank that holds the whole model: one unit at a time enters the device's queue, the next one begins
// while the last slices of the one before are still in flight. An item of a batch that can't be made fails alone: the
// unit begins again without it.

#include <chrono>
#include <deque>
#include <memory>

#include "common/errors.h"
#include "worker/device.h"
#include "worker/engine/engine.h"

namespace trireme {

class WholeModelEngine final : public Engine {
 public:
  struct Settings {
    std::size_t slices_in_flight = 8;  // a slice is about a hundred launches, a stream holds about a thousand
    std::chrono::microseconds pass_budget{5000};  // host time of one call of progress
  };
  WholeModelEngine(Model& model, Settings settings);
  explicit WholeModelEngine(Model& model) : WholeModelEngine(model, Settings{}) {}
  ~WholeModelEngine() override;

  void submit(Unit unit) override;
  std::vector<Unit> recall() override;
  bool progress() override;
  std::optional<Finished> take() override;
  bool idle() const override;
  std::uint64_t slices_done() const override { return slices_done_; }
  std::uint64_t tokens_done() const override;
  PhaseSeconds seconds() const override { return seconds_; }
  std::vector<Span> spans() const override { return spans_; }

 private:
  struct InHand;  // a unit that has begun
  void begin_next();
  void begin(InHand& unit);
  void run_slice();
  void plan_more(InHand& unit);
  void fail(InHand& unit, const std::string& why);
  void fail_one(InHand& unit, const ItemError& error);
  Finished finished(InHand& unit) const;
  void keep_spans(const InHand& unit);
  bool collect();

  Model& model_;
  const Settings settings_;
  std::deque<Unit> waiting_;
  std::unique_ptr<InHand> current_;                 // its slices are being enqueued
  std::deque<std::unique_ptr<InHand>> completing_;  // all enqueued, not all done
  std::deque<device::Event> in_flight_;             // one a slice
  std::deque<Finished> finished_;
  std::uint64_t slices_done_ = 0, tokens_done_ = 0;
  PhaseSeconds seconds_{};
  device::Event zero_;  // at the first unit's begin
  double zero_seconds_ = 0;
  std::vector<Span> spans_;
};

}  // namespace trireme
