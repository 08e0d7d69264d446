#pragma once
// Which unit goes to which replica. Rank 0 only. Policies know nothing of transports or clocks; results never depend on
// them. They look at the queue, at what every replica holds and at what units have taken so far, and at nothing else.

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/dispatch/predictor.h"

namespace trireme {

/// What a policy may look at, one a replica.
struct ReplicaLoad {
  int in_hand = 0;          // units sent and not finished
  bool has_credit = true;   // it may be given one more
  double seconds_left = 0;  // predicted, of what it holds
};

class Policy {
 public:
  virtual ~Policy() = default;
  /// Takes all pending units (indices into the run's list, in input order) once, before dispatch.
  virtual void plan(std::deque<std::size_t> units, int replicas) = 0;
  /// What `replica`, which has a credit, gets next, or nothing: nothing is left for it, or another should come first.
  virtual std::optional<std::size_t> next(int replica, const std::vector<ReplicaLoad>& loads) = 0;
  /// `loads` are others from here on than at the last `next`: what was worked out from them is void.
  virtual void loads_changed() {}
  /// A unit that was sent and not begun comes back to the front.
  virtual void give_back(int replica, std::size_t unit) = 0;
  /// Units not handed out yet.
  virtual std::size_t pending() const = 0;
  /// Units a replica may hold at once; `static` ignores the job's queue depth and sends everything at the start.
  virtual std::size_t depth(std::size_t queue_depth) const { return queue_depth; }
  /// Whether any unit may go to any replica, so that at the tail a slow one gives what it has not begun to an idle one.
  virtual bool moves_units() const { return false; }
};

/// static | round_robin | least_loaded | weighted | predictive. Unknown names: ConfigError with the list. `predictor`
/// outlives the policy.
std::unique_ptr<Policy> make_policy(const std::string& name, const Predictor& predictor);

}  // namespace trireme
