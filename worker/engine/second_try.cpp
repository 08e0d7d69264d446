#include "worker/engine/second_try.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "worker/engine/unit_work.h"

namespace trireme {
namespace {

WholeModelEngine::Settings tried_before(WholeModelEngine::Settings settings) {
  settings.units_at_once = 1;
  settings.tried_before = true;
  return settings;
}

}  // namespace

SecondTryEngine::SecondTryEngine(std::unique_ptr<Engine> first, Model& model, WholeModelEngine::Settings second)
    : model_(model), first_(std::move(first)), second_(model, tried_before(second)) {}

void SecondTryEngine::submit(Unit unit) {
  if (!short_.empty() || !second_.idle()) {
    waiting_.push_back(std::move(unit));
    return;
  }
  held_.emplace(unit.index, unit);
  first_->submit(std::move(unit));
}

std::vector<Unit> SecondTryEngine::recall() {
  std::vector<Unit> units = first_->recall();
  for (const Unit& unit : units) held_.erase(unit.index);
  for (Unit& unit : take_all(waiting_)) units.push_back(std::move(unit));
  return units;
}

bool SecondTryEngine::progress() {
  bool active = first_->progress();
  while (auto finished = first_->take()) sort_out(std::move(*finished));
  if (!short_.empty() && first_->idle()) {
    device::free_caches(model_.device());
    while (!short_.empty()) {
      second_.submit(std::move(short_.front()));
      short_.pop_front();
    }
  }
  if (!second_.idle()) active = second_.progress() || active;
  while (auto finished = second_.take()) finished_.push_back(std::move(*finished));
  if (short_.empty() && second_.idle()) {
    for (Unit& unit : std::exchange(waiting_, {})) submit(std::move(unit));
  }
  return active;
}

/// What has not begun waits until the units for which memory was short have been alone.
void SecondTryEngine::sort_out(Finished finished) {
  auto held = held_.extract(finished.unit.index);
  const bool was_short = std::any_of(finished.results.begin(), finished.results.end(),
                                     [](const Result& result) { return tells_of_shortage(result.error); });
  if (!was_short) {
    finished_.push_back(std::move(finished));
    return;
  }
  log::warning("out of device memory: once more, alone", {{"unit", finished.unit.index}});
  short_.push_back(std::move(held.mapped()));
  for (Unit& unit : first_->recall()) {
    held_.erase(unit.index);
    waiting_.push_back(std::move(unit));
  }
}

bool SecondTryEngine::idle() const {
  return first_->idle() && second_.idle() && waiting_.empty() && short_.empty() && finished_.empty();
}

PhaseSeconds SecondTryEngine::seconds() const {
  PhaseSeconds sum = first_->seconds();
  add_to(sum, second_.seconds());
  return sum;
}

std::vector<Span> SecondTryEngine::spans() const {
  std::vector<Span> all = first_->spans();
  const std::vector<Span> second = second_.spans();
  all.insert(all.end(), second.begin(), second.end());
  return all;
}

}  // namespace trireme
