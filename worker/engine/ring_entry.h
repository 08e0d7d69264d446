#pragma once
// The first stage's way into the ring: units that wait are begun beside it, and every slot is decided and described
// here, in slot order. Who enters is the schedule's to say; a unit that has failed or ended leaves instead.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/ring_schedule.h"
#include "worker/engine/engine.h"
#include "worker/engine/ring_messages.h"
#include "worker/engine/ring_unit.h"
#include "worker/queue.h"

namespace trireme {

/// Units in the ring, on one stage.
using RingUnits = std::map<std::uint64_t, std::shared_ptr<RingUnit>>;

/// As every stage holds it in front of the layers: pictures that only the first one looks at stay there.
Unit decode_unit(const std::string& admits);

class RingEntry {
 public:
  RingEntry(Model& model, SideWork& side, RingUnits& held, int stages, std::optional<int> micro_batches)
      : model_(model), side_(side), held_(held), stages_(stages), schedule_(stages, micro_batches) {}

  void submit(Unit unit) { waiting_.push_back(std::move(unit)); }
  /// Those that are not begun.
  std::vector<Unit> recall() { return take_all(waiting_); }
  bool idle() const { return waiting_.empty() && preparing_.empty(); }
  /// Beside the ring, so that no slot has to stay empty for want of a prompt.
  void prepare();

  /// A state that the last stage sends while a slot comes in here.
  struct Returning {
    std::uint64_t unit = 0;
    TensorShape state;
  };
  struct Next {
    ring::Slot slot;
    std::optional<Returning> returning;
  };
  /// The next slot, or none yet; `stop`: a stop slot once there is nothing else. `transfers` have their place with the
  /// slot, and there is one for them if need be; then none are left.
  std::optional<Next> next(bool stop, std::vector<ring::Transfer>& transfers);
  /// Of a unit's next pass.
  void set_halves(std::uint64_t unit, int halves) { schedule_.set_halves(unit, halves); }
  bool stop_sent() const { return stop_sent_; }

 private:
  void admit();
  std::optional<ring::Slot> choose(bool stop, bool any);
  ring::Slot describe(const RingSchedule::Entry& entry);
  ring::Slot give_up(const RingSchedule::Entry& entry);

  Model& model_;
  SideWork& side_;
  RingUnits& held_;
  const int stages_;
  std::deque<Unit> waiting_;
  std::deque<std::shared_ptr<RingUnit>> preparing_;  // begun, not in the ring
  RingSchedule schedule_;
  std::uint64_t needed_ = 0;  // slots: a stage posts nothing before what the first one posts meanwhile is described
  struct Late {               // what matters of a slot when it has come round
    std::uint64_t unit = 0;
    std::optional<TensorShape> back;
    std::optional<std::int32_t> finisher;  // where the state was the unit's last
  };
  std::deque<Late> round_;
  bool stop_sent_ = false;
};

}  // namespace trireme
