#include "common/ring_schedule.h"

#include <algorithm>

#include "common/errors.h"

namespace trireme {

std::vector<RingSchedule::InRing>::iterator RingSchedule::find(std::uint64_t unit) {
  const auto found = std::find_if(units_.begin(), units_.end(), [unit](const InRing& one) { return one.unit == unit; });
  if (found == units_.end()) throw Error(ExitCode::internal, "unit " + std::to_string(unit) + " is not in the ring");
  return found;
}

bool RingSchedule::has_room(int places) const {
  int sum = places, widest = places;
  for (const InRing& one : units_) {
    sum += one.places;
    widest = std::max(widest, one.places);
  }
  const int needed = widest == 1 ? stages_ : (stages_ + 1 + widest - 1) / widest * widest;
  return units_.empty() || sum <= micro_batches_.value_or(needed);
}

void RingSchedule::admit(std::uint64_t unit, int halves, int places) {
  units_.push_back({unit, places, halves, 0, slot_});
}

std::optional<RingSchedule::Entry> RingSchedule::next() const {
  const InRing* first = nullptr;
  for (const InRing& one : units_) {
    if (one.ready <= slot_ && (first == nullptr || one.ready < first->ready)) first = &one;
  }
  if (first == nullptr) return std::nullopt;
  return Entry{first->unit, first->half, first->half + 1 == first->halves};
}

void RingSchedule::enter(const Entry& entry) {
  InRing& one = *find(entry.unit);
  one.half = entry.last_half ? 0 : one.half + 1;
  if (entry.last_half) one.ready = slot_ + static_cast<std::uint64_t>(stages_);
  moving_ = true;
  ++slot_;
}

void RingSchedule::set_halves(std::uint64_t unit, int halves) { find(unit)->halves = halves; }

void RingSchedule::leave(std::uint64_t unit, int stage) {
  remove(unit);
  // The state is back with the slot `stages` behind its own, and every other slot sends on what came with the one
  // before.
  if (stage != stages_ - 1) needed_ = slot_ + static_cast<std::uint64_t>(stages_ + (stage > 0 ? 1 : 0));
}

void RingSchedule::pass_over() {
  moving_ = false;
  ++slot_;
}

}  // namespace trireme
