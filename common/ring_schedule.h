#pragma once
// Who enters the ring's next slot: decided by stage 0 alone. Slot k is at stage s in beat k + s; what the last stage
// makes of it is back at stage 0 for slot k + stages. A unit enters its halves one behind the other, and its next pass
// as soon as the state is back. Pure: no clock, no messages.

#include <cstdint>
#include <optional>
#include <vector>

namespace trireme {

class RingSchedule {
 public:
  /// At most `micro_batches` places are taken, though a unit alone always has room. Without a number: one place a
  /// stage, and where the halves of guidance travel separately one more, since a pass waits for both, rounded up to
  /// whole units.
  RingSchedule(int stages, std::optional<int> micro_batches) : stages_(stages), micro_batches_(micro_batches) {}

  struct Entry {
    std::uint64_t unit = 0;
    int half = 0;
    bool last_half = false;
  };

  bool has_room(int places) const;
  /// `halves` of the first pass; `places` that the unit takes all the while.
  void admit(std::uint64_t unit, int halves, int places);
  /// Who may enter the next slot: of those whose state is back, the one that waits longest.
  std::optional<Entry> next() const;
  /// It enters.
  void enter(const Entry& entry);
  /// Before its next pass.
  void set_halves(std::uint64_t unit, int halves);
  /// The unit enters no more.
  void remove(std::uint64_t unit) { units_.erase(find(unit)); }
  /// As `remove`, behind its last slot: its last state comes round, and rides on to `stage` beside whatever enters
  /// then. Nothing travels where that is the last one.
  void leave(std::uint64_t unit, int stage);
  /// Stages take turns at what follows the last pass.
  int next_finisher() { return finishers_++ % stages_; }
  /// Nobody enters the next slot.
  void pass_over();

  std::uint64_t slot() const { return slot_; }  // the next one's number
  bool empty() const { return units_.empty(); }
  /// Slots must go on, for somebody to come round or for the last output to move on.
  bool must_turn() const { return !units_.empty() || moving_ || slot_ < needed_; }

 private:
  struct InRing {
    std::uint64_t unit;
    int places;
    int halves, half;     // of the pass; the one that enters next
    std::uint64_t ready;  // the first slot it may enter
  };
  std::vector<InRing>::iterator find(std::uint64_t unit);

  const int stages_;
  const std::optional<int> micro_batches_;
  std::vector<InRing> units_;  // in order of admission
  std::uint64_t slot_ = 0;
  bool moving_ = false;       // the last slot had an output
  std::uint64_t needed_ = 0;  // slots, for all that travels to arrive
  int finishers_ = 0;
};

}  // namespace trireme
