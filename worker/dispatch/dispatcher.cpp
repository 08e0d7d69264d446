#include "worker/dispatch/dispatcher.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/errors.h"

namespace trireme {
namespace {

constexpr std::size_t kMostDepth = 64;        // of quick units
constexpr std::size_t kMostPredicted = 1024;  // units in hand: a share dealt at the start is not worked out anew
constexpr double kLeastSecondsInHand = 0.2;
constexpr double kLeastShareLeft = 0.1;  // of the time a unit has taken so far

}  // namespace

Dispatcher::Dispatcher(const Settings& settings, std::vector<UnitWork> units, int replicas)
    : queue_depth_(settings.queue_depth),
      at_once_(settings.at_once),
      predictor_(std::move(units), replicas, settings.at_once),
      policy_(make_policy(settings.policy, predictor_)),
      replicas_(static_cast<std::size_t>(replicas)),
      loads_(static_cast<std::size_t>(replicas)) {}

void Dispatcher::plan(std::deque<std::size_t> units) { policy_->plan(std::move(units), replicas()); }

void Dispatcher::predict(int replica) {
  Replica& which = replicas_[static_cast<std::size_t>(replica)];
  if (which.held.size() > kMostPredicted) return;
  which.seconds = 0;
  for (Held& held : which.held) which.seconds += held.seconds = predictor_.seconds(held.unit, replica);
}

double Dispatcher::seconds_left(int replica, double now) const {
  const Replica& which = replicas_.at(static_cast<std::size_t>(replica));
  if (which.held.empty()) return 0;
  const Held& at_work = which.held.front();
  const double elapsed = std::max(0.0, now - std::max(at_work.sent, which.last_home));
  // What has taken longer than predicted will take as much longer again, as far as anyone knows.
  return which.seconds - at_work.seconds + std::max(std::abs(at_work.seconds - elapsed), kLeastShareLeft * elapsed);
}

void Dispatcher::update(int replica, double now) {
  const auto r = static_cast<std::size_t>(replica);
  ReplicaLoad& load = loads_[r];
  load.in_hand = static_cast<int>(replicas_[r].held.size());
  load.seconds_left = seconds_left(replica, now);
  const std::size_t held = replicas_[r].held.size();
  const bool quick = !queue_depth_ && predictor_.measured() && load.seconds_left < kLeastSecondsInHand;
  const auto least = static_cast<std::size_t>(at_once_) + 1;
  const std::size_t depth = queue_depth_ ? static_cast<std::size_t>(*queue_depth_)
                            : quick      ? std::max(kMostDepth, least)
                                         : least;
  load.has_credit = held < policy_->depth(depth);
}

std::optional<std::size_t> Dispatcher::next(int replica, double now) {
  const auto r = static_cast<std::size_t>(replica);
  if (policy_->pending() == 0) return std::nullopt;
  update(replica, now);
  if (!loads_[r].has_credit) return std::nullopt;
  if (now != loads_of_) {
    for (int other = 0; other < replicas(); ++other) update(other, now);
    loads_of_ = now;
    policy_->loads_changed();
  }
  const auto unit = policy_->next(replica, loads_);
  if (!unit) return std::nullopt;
  const double seconds = predictor_.seconds(*unit, replica);
  replicas_[r].held.push_back({*unit, now, seconds});
  replicas_[r].seconds += seconds;
  if (last_asked_ >= 0 && replica != last_asked_) replicas_[static_cast<std::size_t>(last_asked_)].asked = false;
  update(replica, now);
  return unit;
}

Dispatcher::Held Dispatcher::take_from(int replica, std::size_t unit) {
  Replica& which = replicas_.at(static_cast<std::size_t>(replica));
  auto& held = which.held;
  const auto found = std::find_if(held.begin(), held.end(), [unit](const Held& h) { return h.unit == unit; });
  if (found == held.end()) {
    throw Error(ExitCode::internal, "unit " + std::to_string(unit) + " came from replica " + std::to_string(replica) +
                                        ", which does not hold it");
  }
  const Held removed = *found;
  held.erase(found);
  which.seconds -= removed.seconds;
  return removed;
}

void Dispatcher::finished(int replica, std::size_t unit, double now, std::optional<double> tokens) {
  const Held held = take_from(replica, unit);
  Replica& which = replicas_[static_cast<std::size_t>(replica)];
  if (tokens) predictor_.finished(unit, replica, now - std::max(held.sent, which.last_home), *tokens);
  which.last_home = now;
  which.asked = false;
  predict(replica);
  loads_of_ = -1;
}

void Dispatcher::returned(int replica, const std::vector<std::size_t>& units) {
  for (const std::size_t unit : units) {
    take_from(replica, unit);
    policy_->give_back(replica, unit);
  }
  if (replica == recalled_) recalled_ = -1;
  predict(replica);
  loads_of_ = -1;
}

// One at a time: the next idle replica may be served by what comes back.
std::optional<int> Dispatcher::recall(double now) {
  if (recalled_ >= 0 || !policy_->moves_units() || policy_->pending() > 0) return std::nullopt;
  int idle = -1;  // the fastest one
  for (int r = 0; r < replicas(); ++r) {
    const bool faster = idle < 0 || predictor_.speed(r) > predictor_.speed(idle);
    if (in_hand(r) == 0 && faster) idle = r;
  }
  if (idle < 0) return std::nullopt;
  int fullest = -1;
  double most = 0;
  for (int r = 0; r < replicas(); ++r) {
    const Replica& which = replicas_[static_cast<std::size_t>(r)];
    if (which.asked || which.held.size() < 2) continue;
    const double left = seconds_left(r, now);
    const bool worth = !predictor_.measured() || predictor_.seconds(which.held.back().unit, idle) < left;
    if (!worth || left <= most) continue;
    fullest = r;
    most = left;
  }
  if (fullest < 0) return std::nullopt;
  recalled_ = last_asked_ = fullest;
  replicas_[static_cast<std::size_t>(fullest)].asked = true;
  return fullest;
}

bool Dispatcher::all_home() const {
  return std::all_of(replicas_.begin(), replicas_.end(), [](const Replica& replica) { return replica.held.empty(); });
}

}  // namespace trireme
