#include "worker/engine/slot_times.h"

#include <utility>

namespace trireme {

void SlotTimes::wait() {
  waits_ = device::Event();
  waits_.record(device_);
}

void SlotTimes::begin(std::uint64_t slot, std::uint64_t unit, int half, int pass) {
  span_log_.start();
  const Span span{SpanKind::slot, unit, static_cast<std::int64_t>(slot), half, pass};
  open_.push_back({span, std::move(waits_), {}, PhaseClock(device_)});
  waits_ = device::Event();
  open_.back().start.record(device_);
}

void SlotTimes::phase(Phase phase) { open_.back().clock.enter(phase); }
void SlotTimes::end() { open_.back().clock.end(); }

void SlotTimes::collect() {
  // The slot under way has no end yet, and an event that was never recorded counts as done.
  while (!open_.empty() && open_.front().clock.closed() && open_.front().clock.ended()) {
    Open& slot = open_.front();
    slot.time.begin = span_log_.seconds_at(slot.start);
    slot.time.seconds = slot.clock.end_event().seconds_since(slot.start);
    Span wait = slot.time;
    wait.kind = SpanKind::wait;
    wait.seconds = slot.start.seconds_since(slot.waits);
    wait.begin -= wait.seconds;
    span_log_.add(wait);
    span_log_.add(slot.time);
    const PhaseSeconds seconds = slot.clock.seconds();
    add_to(phases_, seconds);
    const auto [found, fresh] = units_.try_emplace(slot.time.unit);
    UnitTimes& unit = found->second;
    if (fresh) unit.begin = slot.time.begin;
    unit.end = slot.time.begin + slot.time.seconds;
    if (slot.time.pass == 0) unit.first_pass_end = unit.end;
    add_to(unit.seconds, seconds);
    open_.pop_front();
  }
}

UnitTimes SlotTimes::take_unit(std::uint64_t unit) {
  const auto node = units_.extract(unit);
  return node.empty() ? UnitTimes{} : node.mapped();
}

void SlotTimes::add_side(std::uint64_t unit, const PhaseClock& clock) {
  add_to(phases_, clock.seconds());
  if (!span_log_.started()) return;  // in front of the first slot, and of the clock
  clock.for_each([&](Phase phase, const device::Event& begin, const device::Event& end) {
    span_log_.add(phase, unit, begin, end);
  });
}

}  // namespace trireme
