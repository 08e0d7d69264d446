#pragma once
// The policy `predictive`: longest first by predicted work, each to the replica that would finish it first. A replica
// for which the longest is too much gets the longest that it finishes before all is done, or nothing: better idle than
// last. Rank 0 only.

#include <functional>
#include <map>
#include <optional>
#include <set>

#include "worker/dispatch/policy.h"

namespace trireme {

class Predictive final : public Policy {
 public:
  explicit Predictive(const Predictor& predictor) : predictor_(predictor) {}
  void plan(std::deque<std::size_t> units, int replicas) override;
  std::optional<std::size_t> next(int replica, const std::vector<ReplicaLoad>& loads) override;
  void give_back(int replica, std::size_t unit) override;
  void loads_changed() override { outlook_.reset(); }
  std::size_t pending() const override { return pending_; }
  bool moves_units() const override { return true; }

 private:
  // Units of about the same work, in input order; so a queue of a million has a few dozen entries to look at.
  using Queue = std::map<int, std::set<std::size_t>, std::greater<>>;
  void add(std::size_t unit);
  std::size_t take(Queue::iterator from);
  struct Outlook {
    std::size_t best;               // the replica that would finish the longest unit first
    double longest;                 // when that would be, from now
    std::optional<double> horizon;  // when all is done; worked out when it is wanted
  };
  Outlook look(const std::vector<ReplicaLoad>& loads) const;
  double all_done(const std::vector<ReplicaLoad>& loads);

  const Predictor& predictor_;
  Queue queue_;
  std::size_t pending_ = 0;
  std::optional<Outlook> outlook_;  // of these loads and this queue
  double queued_work_ = 0;          // as it was predicted when it was last added up
  std::size_t stale_ = 0;           // units taken since then
};

}  // namespace trireme
