#include "worker/dispatch/predictive.h"

#include <algorithm>
#include <cmath>

namespace trireme {
namespace {

constexpr double kClassesAnOctave = 16;
constexpr double kTie = 1e-9;  // relative

}  // namespace

void Predictive::add(std::size_t unit) {
  outlook_.reset();
  const double work = predictor_.work(unit);
  queue_[static_cast<int>(std::lround(kClassesAnOctave * std::log2(std::max(work, 1e-9))))].insert(unit);
  queued_work_ += work;
  ++pending_;
}

void Predictive::plan(std::deque<std::size_t> units, int) {
  queue_.clear();
  pending_ = 0;
  queued_work_ = 0;
  for (const std::size_t unit : units) add(unit);
}

void Predictive::give_back(int, std::size_t unit) { add(unit); }

std::size_t Predictive::take(Queue::iterator from) {
  outlook_.reset();
  const std::size_t unit = *from->second.begin();
  from->second.erase(from->second.begin());
  if (from->second.empty()) queue_.erase(from);
  --pending_;
  queued_work_ = std::max(0.0, queued_work_ - predictor_.work(unit));
  return unit;
}

/// When everything would be done, from now, if work could be cut at will.
double Predictive::all_done(const std::vector<ReplicaLoad>& loads) {
  // Predictions move as units come home; adding up again each time the queue has lost a quarter costs next to nothing.
  if (++stale_ * 4 > pending_) {
    stale_ = 0;
    queued_work_ = 0;
    for (const auto& [size, units] : queue_) {
      for (const std::size_t unit : units) queued_work_ += predictor_.work(unit);
    }
  }
  double work = queued_work_, speed = 0;
  for (std::size_t r = 0; r < loads.size(); ++r) {
    const double mine = predictor_.speed(static_cast<int>(r));
    work += loads[r].seconds_left * mine;
    speed += mine;
  }
  return work / speed;
}

Predictive::Outlook Predictive::look(const std::vector<ReplicaLoad>& loads) const {
  const double work = predictor_.work(*queue_.begin()->second.begin());
  const auto end_on = [&](std::size_t r) {
    return loads[r].seconds_left + work / predictor_.speed(static_cast<int>(r));
  };
  Outlook outlook{0, end_on(0), std::nullopt};
  for (std::size_t r = 1; r < loads.size(); ++r) {
    const double end = end_on(r);
    const bool sooner = end < outlook.longest * (1 - kTie);
    // Of equal ones the first that may have it.
    const bool instead = end < outlook.longest * (1 + kTie) && loads[r].has_credit && !loads[outlook.best].has_credit;
    if (sooner || instead) outlook = {r, end, std::nullopt};
  }
  return outlook;
}

std::optional<std::size_t> Predictive::next(int replica, const std::vector<ReplicaLoad>& loads) {
  if (queue_.empty()) return std::nullopt;
  if (!outlook_) outlook_ = look(loads);
  const auto me = static_cast<std::size_t>(replica);
  if (outlook_->best == me) return take(queue_.begin());
  if (loads[outlook_->best].has_credit) return std::nullopt;  // it comes first, then we are asked again
  if (!outlook_->horizon) outlook_->horizon = std::max(all_done(loads), outlook_->longest);
  const double speed = predictor_.speed(replica);
  for (auto size = queue_.begin(); size != queue_.end(); ++size) {
    const double end = loads[me].seconds_left + predictor_.work(*size->second.begin()) / speed;
    if (end <= *outlook_->horizon) return take(size);
  }
  return std::nullopt;
}

}  // namespace trireme
