#include "worker/engine/unit_work.h"

#include <c10/util/Exception.h>

#include <utility>

#include "common/errors.h"

namespace trireme {

void PhaseClock::enter(Phase phase) {
  if (!marks_.empty() && marks_.back().phase == phase) return;
  marks_.push_back({phase, {}});
  marks_.back().start.record(device_);
}

void PhaseClock::end() {
  end_.record(device_);
  closed_ = true;
}

PhaseSeconds PhaseClock::seconds() const {
  PhaseSeconds seconds{};
  for_each([&](Phase phase, const device::Event& begin, const device::Event& end) {
    seconds[static_cast<std::size_t>(phase)] += end.seconds_since(begin);
  });
  return seconds;
}

void PhaseClock::for_each(const std::function<void(Phase, const device::Event&, const device::Event&)>& visit) const {
  for (std::size_t i = 0; i < marks_.size(); ++i) {
    visit(marks_[i].phase, marks_[i].start, i + 1 < marks_.size() ? marks_[i + 1].start : end_);
  }
}

std::vector<Result> failed_results(const Unit& unit, const std::string& why) {
  std::vector<Result> results;
  for (const Item& item : unit.items) {
    Result result;
    result.id = item.id;
    result.error = why;
    results.push_back(std::move(result));
  }
  return results;
}

std::optional<std::string> failure_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const ItemError& e) {
    return e.what();
  } catch (const c10::OutOfMemoryError& e) {
    return std::string("out of device memory: lower the size, or set memory.vae_tiling: true (") +
           e.what_without_backtrace() + ")";
  }
  return std::nullopt;
}

}  // namespace trireme
