#pragma once
// Who holds which unit, who gets one next, and who is asked to give some back: the coordinator's decisions without its
// transport, so that a virtual clock can drive them. Rank 0 only; single thread. `now` is in seconds from any start.

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/dispatch/policy.h"
#include "worker/dispatch/predictor.h"

namespace trireme {

class Dispatcher {
 public:
  struct Settings {
    std::string policy = "predictive";
    std::optional<int> queue_depth{};  // units a replica holds; auto: at_once + 1, more while they are less than 0.2 s
    int at_once = 1;                   // units a replica works on at a time: more than one in a pipeline
  };
  /// `units`: the work of each, by place in the run's list. Throws ConfigError for an unknown policy.
  Dispatcher(const Settings& settings, std::vector<UnitWork> units, int replicas);

  /// Places in the run's list, in input order; what is handed out from here on.
  void plan(std::deque<std::size_t> units);
  /// What `replica` gets now, or nothing: it is in hand from here on. A reason to ask again is only that a unit came
  /// home or back.
  std::optional<std::size_t> next(int replica, double now);
  /// `tokens`: that its answers have; nothing: it failed, and its time says nothing.
  void finished(int replica, std::size_t unit, double now, std::optional<double> tokens);
  /// When nothing is left to hand out and a replica is idle: the replica that should give back what it has not begun.
  /// Nobody else is named until `returned`, and no replica twice before one of its units has come home or has gone to
  /// another: nothing goes to and fro.
  std::optional<int> recall(double now);
  /// The answer to a recall: units not begun, perhaps none.
  void returned(int replica, const std::vector<std::size_t>& units);

  std::size_t pending() const { return policy_->pending(); }
  int in_hand(int replica) const {
    return static_cast<int>(replicas_.at(static_cast<std::size_t>(replica)).held.size());
  }
  bool all_home() const;
  int replicas() const { return static_cast<int>(loads_.size()); }
  const Predictor& predictor() const { return predictor_; }
  /// Predicted, of what `replica` holds.
  double seconds_left(int replica, double now) const;

 private:
  struct Held {
    std::size_t unit;
    double sent, seconds;  // predicted
  };
  struct Replica {
    std::deque<Held> held;  // in the order sent; the first is at work
    double last_home = 0;   // when a unit last came home
    double seconds = 0;     // predicted, of all it holds: when it last got or gave one
    bool asked = false;     // was recalled, and none of its units has come home or gone to another since
  };
  Held take_from(int replica, std::size_t unit);
  void predict(int replica);
  void update(int replica, double now);

  const std::optional<int> queue_depth_;
  const int at_once_;
  Predictor predictor_;
  const std::unique_ptr<Policy> policy_;
  std::vector<Replica> replicas_;
  std::vector<ReplicaLoad> loads_;
  double loads_of_ = -1;  // the `now` they were worked out for
  int recalled_ = -1;     // the replica whose answer is due
  int last_asked_ = -1;   // the replica recalled last
};

}  // namespace trireme
