#include "worker/monitor/monitor.h"

#include "common/log.h"

namespace trireme {

Monitor::Monitor(Subject subject, ProgressMode mode)
    : subject_(subject), line_(mode), settled_before_(subject.coordinator.done() + subject.coordinator.failed()) {}

ProgressState Monitor::state(double seconds) const {
  ProgressState state;
  state.done = subject_.coordinator.done();
  state.failed = subject_.coordinator.failed();
  state.total = subject_.plan.items.size();
  state.done_before = settled_before_;
  state.seconds = seconds;
  const auto& totals = subject_.coordinator.totals();
  for (std::size_t rank = 0; totals.size() > 1 && rank < totals.size(); ++rank) {
    if (totals[rank].items == 0) continue;
    double busy = 0;
    for (double phase : totals[rank].seconds) busy += phase;
    const double seconds_per_item = busy / static_cast<double>(totals[rank].items);
    if (seconds_per_item <= state.slowest_seconds_per_item) continue;
    state.slowest_rank = static_cast<int>(rank);
    state.slowest_seconds_per_item = seconds_per_item;
  }
  return state;
}

void Monitor::update(double seconds) { line_.update(state(seconds)); }

void Monitor::finish(const LoopReport& loop, const std::vector<RankReport>&) { line_.finish(state(loop.seconds)); }

}  // namespace trireme
