#include "worker/engine/ring_results.h"

#include <utility>

#include "worker/device.h"
#include "worker/engine/unit_items.h"

namespace trireme {

void RingResults::add(std::shared_ptr<RingUnit> unit) {
  if (unit->session) {
    unit->side =
        side_.add([this, one = unit.get()](Slices& slices) { model_.finish(*one->session, slices, one->results); });
  }
  units_.push_back(std::move(unit));
}

void RingResults::hear(const ring::Verdict& verdict) {
  Verdicts& all = verdicts_[verdict.unit];
  ++all.count;
  if (all.error.empty()) all.error = verdict.error;
}

bool RingResults::concluded(const RingUnit& unit) const {
  if (unit.side && !unit.side->complete()) return false;
  const auto verdicts = verdicts_.find(unit.unit.index);
  return verdicts != verdicts_.end() && verdicts->second.count == stages_ - 1;
}

bool RingResults::collect(std::deque<Finished>& finished) {
  bool any = false;
  for (auto unit = units_.begin(); unit != units_.end();) {
    if (!concluded(**unit)) {
      ++unit;
      continue;
    }
    finished.push_back(conclude(**unit));
    unit = units_.erase(unit);
    any = true;
  }
  return any;
}

Finished RingResults::conclude(RingUnit& unit) {
  const std::uint64_t number = unit.unit.index;
  if (unit.session) tokens_ += unit.session->tokens();
  if (unit.error.empty() && unit.side) unit.error = unit.side->error;
  if (unit.error.empty()) unit.error = verdicts_.at(number).error;
  verdicts_.erase(number);
  UnitTimes times = times_.take_unit(number);
  if (unit.side) {
    times_.add_side(number, unit.side->clock);
    add_to(times.seconds, unit.side->clock.seconds());
  }
  if (!unit.error.empty()) {
    unit.results.clear();
    close_items(unit.unit, unit.error);
  }
  for (Result& result : unit.results) {
    if (const auto complete = std::exchange(result.complete, {})) complete(result);
    if (result.text) {
      result.text->first_token_seconds = times.first_pass_end - times.begin;
      result.text->decode_seconds = times.end - times.first_pass_end;
    }
    device::keep_for_current_stream(result.picture);  // made beside the ring, packed on this stream
    for (const auto& [name, tensor] : result.tensors) device::keep_for_current_stream(tensor);
  }
  std::vector<Result> results = results_of_all(unit.unit, std::move(unit.results));
  return {std::move(unit.unit), std::move(results), times.seconds};
}

std::uint64_t RingResults::tokens() const {
  std::uint64_t sum = tokens_;
  for (const auto& unit : units_) {
    if (unit->session) sum += unit->session->tokens();
  }
  return sum;
}

}  // namespace trireme
