#pragma once
// The engine of one rank of two that each hold the whole model and share the halves of guidance. Units come in at the
// first rank, which announces them to the last. The first encodes and predicts from the negative prompt, the last from
// the positive one; each prediction goes to the other rank, and both take the same step, so that nothing else travels.
// The last rank also takes the passes without guidance and decodes; results go out there. Same kernels on same shapes
// as on one rank: same bits.
//
// The transfer law: a rank enqueues its half of an exchange once it has heard READY for that pass from the other and
// its own READY has left. In place of READY a rank says why the unit has failed, and both drop it. Results of the last
// rank of rank 0's replica go to the first: that one gives each a place in the order of its words, where both post it.

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "worker/device.h"
#include "worker/engine/engine.h"
#include "worker/engine/slices_in_flight.h"
#include "worker/engine/slot_times.h"
#include "worker/engine/transfer_places.h"
#include "worker/exchange/exchange.h"
#include "worker/queue.h"
#include "worker/transport/transport.h"

namespace trireme {

class GuidancePairEngine final : public Engine {
 public:
  struct Settings {
    Exchange* exchange = nullptr;      // of all ranks: its messages, too, leave before our halves
    std::size_t slices_in_flight = 8;  // a slice is about a hundred launches, a stream holds about a thousand
    std::chrono::microseconds pass_budget{5000};  // host time of one call of progress
  };
  /// `replica`: the two ranks. Throws ConfigError when it carries the memory of another device than the model's.
  GuidancePairEngine(Model& model, Transport& replica, Settings settings);
  GuidancePairEngine(Model& model, Transport& replica) : GuidancePairEngine(model, replica, Settings{}) {}
  ~GuidancePairEngine() override;

  void submit(Unit unit) override;
  std::vector<Unit> recall() override;
  bool progress() override;
  std::optional<Finished> take() override { return take_first(finished_); }
  bool idle() const override;
  bool computing() const override;
  std::uint64_t slices_done() const override { return in_flight_.done() + transfers_done_; }
  PhaseSeconds seconds() const override { return times_.phases(); }
  std::vector<Span> spans() const override { return times_.spans(); }
  std::uint64_t tokens_done() const override { return 0; }

 private:
  struct InHand;
  bool first() const { return replica_.rank() == 0; }
  int own_half() const { return first() ? 1 : 0; }
  bool hear();
  bool step();
  void begin(InHand& unit);
  void run_slice(InHand& unit);
  void plan_pass(InHand& unit);
  void give_places();
  bool hear_other(InHand& unit);
  void exchange(InHand& unit);
  bool follow(InHand& unit);
  void fail(InHand& unit, const std::string& why, bool tell);
  void close();
  bool collect();
  InHand* find(std::uint64_t unit) const;

  Model& model_;
  Transport& replica_;
  const Settings settings_;
  std::deque<std::unique_ptr<InHand>> waiting_;
  std::unique_ptr<InHand> current_;                 // its slices are being enqueued
  std::deque<std::unique_ptr<InHand>> completing_;  // all enqueued, not all done
  SlicesInFlight in_flight_;
  TransferPlaces places_;                               // by the words of the other rank that come before
  std::uint64_t words_heard_ = 0, words_acted_on_ = 0;  // of units held
  std::deque<Finished> finished_;
  std::uint64_t transfers_done_ = 0;
  SlotTimes times_;
};

}  // namespace trireme
