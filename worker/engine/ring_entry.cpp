#include "worker/engine/ring_entry.h"

#include <algorithm>
#include <span>

#include "worker/engine/unit_items.h"
#include "worker/exchange/codec.h"

namespace trireme {
namespace {

constexpr std::size_t kPreparedAhead = 2;

std::string encode_for_later_stages(Unit unit) {
  for (Item& item : unit.items) {
    for (ImageFile& image : item.images) image.data.clear();
  }
  return std::string(as_text(codec::encode_units({&unit, 1})));
}

}  // namespace

Unit decode_unit(const std::string& admits) {
  return std::move(codec::decode_units(std::as_bytes(std::span(admits))).at(0));
}

void RingEntry::prepare() {
  if (preparing_.size() == kPreparedAhead || waiting_.empty()) return;
  auto held = std::make_shared<RingUnit>();
  held->unit = std::move(waiting_.front());
  waiting_.pop_front();
  held->side = begin_beside(side_, model_, held->unit, held->session);
  preparing_.push_back(std::move(held));
}

std::optional<RingEntry::Next> RingEntry::next(bool stop, std::vector<ring::Transfer>& transfers) {
  std::optional<ring::Slot> slot = choose(stop, !transfers.empty());
  if (!slot) return std::nullopt;
  slot->transfers = std::exchange(transfers, {});
  Next next{std::move(*slot), {}};
  if (round_.size() == static_cast<std::size_t>(stages_)) {
    Late late = std::move(round_.front());
    round_.pop_front();
    if (late.finisher) next.slot.rider = ring::Rider{late.unit, *late.finisher, *late.back};
    if (late.back) next.returning = Returning{late.unit, std::move(*late.back)};
  }
  Late& entered = round_.emplace_back(Late{next.slot.unit, next.slot.back, {}});
  if (next.slot.back && next.slot.last_pass) entered.finisher = next.slot.finisher;
  return next;
}

void RingEntry::admit() {
  if (preparing_.empty() || !preparing_.front()->side->enqueued) return;
  RingUnit& unit = *preparing_.front();
  if (unit.error.empty()) unit.error = unit.side->error;
  if (!unit.error.empty()) unit.session.reset();
  if (!unit.session && unit.error.empty()) unit.error = unit.unit.items.at(0).error;  // that of each of its items
  const int halves = unit.session ? unit.session->halves : 1;
  // The prompts of a text unit go in one by one, and then take one place.
  const int places = unit.unit.items.size() == 1 ? halves : 1;
  if (!schedule_.has_room(places)) return;
  schedule_.admit(unit.unit.index, halves, places);
  held_.emplace(unit.unit.index, std::move(preparing_.front()));
  preparing_.pop_front();
}

std::optional<ring::Slot> RingEntry::choose(bool stop, bool any) {
  admit();
  if (const auto entry = schedule_.next()) {
    const RingUnit& unit = *held_.at(entry->unit);
    return unit.error.empty() && !unit.ended ? describe(*entry) : give_up(*entry);
  }
  ring::Slot slot;
  slot.number = schedule_.slot();
  if (!any && !schedule_.must_turn() && schedule_.slot() >= needed_) {
    if (!stop || stop_sent_ || !idle()) return std::nullopt;
    slot.kind = ring::SlotKind::stop;
    stop_sent_ = true;
  }
  schedule_.pass_over();
  return slot;
}

ring::Slot RingEntry::describe(const RingSchedule::Entry& entry) {
  RingUnit& unit = *held_.at(entry.unit);
  const Session& session = *unit.session;
  ring::Slot slot;
  slot.kind = ring::SlotKind::work;
  slot.number = schedule_.slot();
  slot.unit = entry.unit;
  slot.half = entry.half;
  slot.pass = session.pass;
  slot.last_half = entry.last_half;
  slot.last_pass = session.pass + 1 == session.passes;
  const bool leaves = slot.last_half && slot.last_pass;
  slot.finisher = leaves && model_.finishes_anywhere() ? schedule_.next_finisher() : stages_ - 1;
  Crossing crossing = model_.crossing(session, entry.half);
  slot.forward.push_back(std::move(crossing.hidden));
  for (TensorShape& shape : crossing.side) slot.forward.push_back(std::move(shape));
  if (slot.last_half && !(leaves && slot.finisher == stages_ - 1)) slot.back = std::move(crossing.state);
  if (!std::exchange(unit.announced, true)) {
    slot.admits = encode_for_later_stages(unit.unit);
    slot.note = model_.note(session);
  }
  const auto stages = static_cast<std::uint64_t>(stages_);
  const auto rides_to = static_cast<std::uint64_t>(slot.finisher < stages_ - 1 ? slot.finisher : 0);
  needed_ = std::max(needed_, slot.number + 1 + stages + rides_to);
  schedule_.enter(entry);
  if (leaves) schedule_.leave(entry.unit, slot.finisher);
  return slot;
}

ring::Slot RingEntry::give_up(const RingSchedule::Entry& entry) {
  RingUnit& unit = *held_.at(entry.unit);
  ring::Slot slot;
  slot.kind = unit.error.empty() ? ring::SlotKind::finish : ring::SlotKind::drop;
  slot.number = schedule_.slot();
  slot.unit = entry.unit;
  slot.finisher = stages_ - 1;
  slot.error = unit.error;
  if (!std::exchange(unit.announced, true)) slot.admits = encode_for_later_stages(unit.unit);
  schedule_.remove(entry.unit);
  schedule_.pass_over();
  return slot;
}

}  // namespace trireme
