#include "worker/engine/slot_times.h"

#include <utility>

#include "common/steady_clock.h"

namespace trireme {
void SlotTimes::wait() {
  waits_ = device::Event();
  waits_.record(device_);
}

void SlotTimes::begin(std::uint64_t slot, std::uint64_t unit, int half, int pass) {
  start_clock();
  const Span span{SpanKind::slot, unit, static_cast<std::int64_t>(slot), half, pass};
  open_.push_back({span, std::move(waits_), {}, PhaseClock(device_)});
  waits_ = device::Event();
  open_.back().start.record(device_);
}

void SlotTimes::start_clock() {
  if (zero_seconds_ != 0) return;
  zero_.record(device_);
  zero_seconds_ = steady_seconds();
}

void SlotTimes::phase(Phase phase) { open_.back().clock.enter(phase); }
void SlotTimes::end() { open_.back().clock.end(); }

void SlotTimes::collect() {
  // The slot under way has no end yet, and an event that was never recorded counts as done.
  while (!open_.empty() && open_.front().clock.closed() && open_.front().clock.ended()) {
    Open& slot = open_.front();
    slot.time.begin = slot.start.seconds_since(zero_);
    slot.time.seconds = slot.clock.end_event().seconds_since(slot.start);
    Span wait = slot.time;
    wait.kind = SpanKind::wait;
    wait.seconds = slot.start.seconds_since(slot.waits);
    wait.begin -= wait.seconds;
    keep(wait);
    keep(slot.time);
    const PhaseSeconds seconds = slot.clock.seconds();
    add(seconds);
    const auto [found, fresh] = units_.try_emplace(slot.time.unit);
    UnitTimes& unit = found->second;
    if (fresh) unit.begin = slot.time.begin;
    unit.end = slot.time.begin + slot.time.seconds;
    if (slot.time.pass == 0) unit.first_pass_end = unit.end;
    for (std::size_t i = 0; i < seconds.size(); ++i) unit.seconds[i] += seconds[i];
    open_.pop_front();
  }
}

UnitTimes SlotTimes::take_unit(std::uint64_t unit) {
  const auto node = units_.extract(unit);
  return node.empty() ? UnitTimes{} : node.mapped();
}

void SlotTimes::add_side(std::uint64_t unit, const PhaseClock& clock) {
  add(clock.seconds());
  if (zero_seconds_ == 0) return;  // in front of the first slot, and of the clock
  clock.for_each([&](Phase phase, const device::Event& begin, const device::Event& end) {
    Span span{span_of(phase), unit};
    span.begin = begin.seconds_since(zero_);
    span.seconds = end.seconds_since(begin);
    keep(span);
  });
}

void SlotTimes::keep(const Span& span) {
  if (done_.size() < kMostSpans) done_.push_back(span);
}

std::vector<Span> SlotTimes::spans() const {
  std::vector<Span> spans = done_;
  for (Span& span : spans) span.begin += zero_seconds_;
  return spans;
}

void SlotTimes::add(const PhaseSeconds& seconds) {
  for (std::size_t i = 0; i < seconds.size(); ++i) phases_[i] += seconds[i];
}

}  // namespace trireme
