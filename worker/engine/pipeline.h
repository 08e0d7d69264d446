#pragma once
// The engine of one stage of a model that is cut over the ranks of a replica. The ring: units are circular
// micro-batches; one enters stage 0 again as soon as its pass has come round. Stage 0 describes slot k to every stage,
// in slot order, before it enqueues anything of it. In beat k + s stage s enqueues one group, which receives slot k and
// sends on what it made of slot k - 1, and then the slot's slices. A group is enqueued once the description of what
// stage 0 enters in the same beat is here, so no stage waits on the host for a size. What a replica of rank 0 transfers
// to it has its place in this order: before the groups of the beat of a slot, whose description says so. So all stages
// post in one order, and whatever they post meets even if a host stands still behind it: nothing can deadlock.
//
// Units come in at the first stage. Stages take turns at decoding, where the model can do it anywhere, else the last
// one does all: a unit's last state comes round like any other and rides on, beside whatever enters then, to the stage
// that finishes it, and there the result goes out. An error of an item on any stage is told to stage 0, which drops the
// unit at its next entry; until then tensors of the declared shapes go on. Behind its last slot every stage tells the
// finisher whether it is well; only then is a result offered.

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/device.h"
#include "worker/engine/engine.h"
#include "worker/engine/ring_entry.h"
#include "worker/engine/ring_messages.h"
#include "worker/engine/ring_results.h"
#include "worker/engine/ring_unit.h"
#include "worker/engine/side_work.h"
#include "worker/engine/slices_in_flight.h"
#include "worker/engine/slot_times.h"
#include "worker/engine/transfer_places.h"
#include "worker/exchange/exchange.h"
#include "worker/queue.h"

namespace trireme {

class PipelineEngine final : public Engine {
 public:
  struct Settings {
    Exchange* exchange = nullptr;            // of all ranks: its messages, too, leave before our halves
    std::optional<int> micro_batches;        // in the ring at once; none: as many as keep every stage busy
    std::size_t slices_in_flight = 8;        // a slice is about a hundred launches, a stream holds about a thousand
    std::size_t side_slices_in_flight = 16;  // smaller ones
    std::chrono::microseconds pass_budget{5000};  // host time of one call of progress
  };
  /// `replica`: the stages in order, on the model's device.
  PipelineEngine(Model& model, Transport& replica, Settings settings);
  ~PipelineEngine() override;

  void submit(Unit unit) override;
  std::vector<Unit> recall() override { return entry_.recall(); }
  bool progress() override;
  std::optional<Finished> take() override { return take_first(finished_); }
  bool idle() const override;
  bool computing() const override;
  std::uint64_t tokens_done() const override;
  std::uint64_t slices_done() const override { return in_flight_.done() + beats_ + side_.slices_done(); }
  void stop() override { stop_asked_ = true; }
  bool stopped() const override;
  PhaseSeconds seconds() const override { return times_.phases(); }
  std::vector<Span> spans() const override { return times_.spans(); }

 private:
  struct Turn;  // the slot at work
  bool first() const { return index_ == 0; }
  bool last() const { return index_ == stages_ - 1; }
  bool hear();
  void handle(int from, const ring::Any& message);
  bool collect();
  bool step();
  bool begin_turn();
  bool post_transfers();
  bool post_turn();
  bool arrive();
  bool run_turn();
  void end_turn();
  void announce(const ring::Slot& slot);
  void plan_work();
  void keep_output();
  void end_unit();
  void finish(std::uint64_t unit, const at::Tensor& state);
  void fail(RingUnit& held, const std::string& why);
  void retire(std::uint64_t unit);
  RingUnit* held(std::uint64_t unit);
  at::Tensor room(const TensorShape& shape) const;

  Model& model_;
  Transport& replica_;
  const Settings settings_;
  const int index_, stages_;
  SideWork side_;

  RingUnits held_;                        // in the ring
  RingEntry entry_;                       // first stage
  std::deque<ring::Slot> slots_;          // later stages: described, not begun
  TransferPlaces places_;                 // by the slot at the first stage
  std::vector<ring::Transfer> unplaced_;  // first stage: those that have none

  std::unique_ptr<Turn> turn_;
  std::vector<at::Tensor> outgoing_;  // of the slot before
  SlicesInFlight in_flight_;
  std::deque<std::pair<std::shared_ptr<RingUnit>, device::Event>> retired_;  // kept until the device has done with them
  std::deque<Finished> finished_;
  SlotTimes times_;
  RingResults results_;      // of units that this stage finishes
  std::uint64_t beats_ = 0;  // whose transfers are done
  int stages_stopped_ = 0;
  bool stop_asked_ = false, stopped_ = false;
};

}  // namespace trireme
