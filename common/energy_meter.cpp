#include "common/energy_meter.h"

#include <algorithm>

namespace trireme {
namespace {

/// How much of a time is in the loop.
double in_loop(double from, double to) { return std::max(0.0, to) - std::max(0.0, from); }

}  // namespace

void EnergyMeter::add(double seconds, std::optional<double> watts, std::optional<Counter> counter) {
  const bool news = counter && (!counter_ || counter->joules != counter_->joules);
  if (!first_seconds_) {
    last_seconds_ = news ? std::min(seconds, counter->seconds) : seconds;
    first_seconds_ = last_seconds_;
    last_watts_ = watts;
  }
  std::optional<double> mean = watts;
  if (watts && last_watts_) mean = (*watts + *last_watts_) / 2;
  if (news) {
    advance(std::min(counter->seconds, seconds), mean.value_or(0));
    settle(*counter);
  }
  advance(seconds, mean.value_or(0));
  if (watts) note_power(*watts);
  last_watts_ = watts;
}

void EnergyMeter::add(double seconds, const GpuSample& gpu) {
  std::optional<Counter> counter;
  if (gpu.energy_joules) counter = {seconds - gpu.age_of("energy"), *gpu.energy_joules};
  add(seconds, gpu.power_watts, counter);
}

void EnergyMeter::advance(double seconds, double watts) {
  if (seconds <= last_seconds_) return;
  since_.all += watts * (seconds - last_seconds_);
  since_.in_loop += watts * in_loop(last_seconds_, seconds);
  last_seconds_ = seconds;
}

void EnergyMeter::settle(const Counter& counter) {
  if (counter_ && counter.joules > counter_->joules && counter.seconds > counter_->seconds) {
    const double used = counter.joules - counter_->joules, length = counter.seconds - counter_->seconds;
    const double share =
        since_.all > 0 ? since_.in_loop / since_.all : in_loop(counter_->seconds, counter.seconds) / length;
    joules_ += used * share;
    if (since_.all <= 0) note_power(used / length);
  } else {
    joules_ += since_.in_loop;
  }
  since_ = {};
  counter_ = counter;
}

void EnergyMeter::note_power(double watts) {
  if (!begin_watts_) begin_watts_ = watts;
  end_watts_ = watts;
}

std::optional<double> EnergyMeter::joules(double until) const {
  if (!first_seconds_ || !begin_watts_) return std::nullopt;
  const double lead = std::max(0.0, std::min(*first_seconds_, until));
  const double tail = until - std::max(0.0, last_seconds_);  // negative: the last sample is younger
  return std::max(0.0, joules_ + since_.in_loop + lead * *begin_watts_ + tail * *end_watts_);
}

}  // namespace trireme
