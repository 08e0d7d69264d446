#include "common/energy_meter.h"

#include <algorithm>

namespace trireme {

void EnergyMeter::add(double seconds, std::optional<double> watts, std::optional<double> counter_joules) {
  const Sample now{seconds, watts, counter_joules};
  if (!last_) first_seconds_ = seconds;
  if (last_ && seconds > last_->seconds) {
    std::optional<double> mean;
    if (counter_joules && last_->counter && *counter_joules > *last_->counter) {
      mean = (*counter_joules - *last_->counter) / (seconds - last_->seconds);
    } else if (watts && last_->watts) {
      mean = (*watts + *last_->watts) / 2;
    }
    if (mean) {
      joules_ += *mean * std::max(0.0, seconds - std::max(0.0, last_->seconds));
      last_watts_ = mean;
      if (!first_watts_) first_watts_ = mean;
    }
  }
  if (watts) {
    last_watts_ = watts;
    if (!first_watts_) first_watts_ = watts;
  }
  last_ = now;
}

std::optional<double> EnergyMeter::joules(double until) const {
  if (!last_ || !first_watts_) return std::nullopt;
  const double lead = std::max(0.0, std::min(first_seconds_, until));
  const double tail = until - std::max(0.0, last_->seconds);  // negative: the last sample is younger
  return std::max(0.0, joules_ + lead * *first_watts_ + tail * *last_watts_);
}

}  // namespace trireme
