#include "worker/dispatch/policy.h"

#include <algorithm>

#include "common/errors.h"
#include "worker/dispatch/predictive.h"

namespace trireme {
namespace {

/// Every replica has its own queue, filled before the start; nothing moves between them.
class Lanes : public Policy {
 public:
  std::optional<std::size_t> next(int replica, const std::vector<ReplicaLoad>&) override {
    auto& lane = lanes_.at(replica);
    if (lane.empty()) return std::nullopt;
    const std::size_t unit = lane.front();
    lane.pop_front();
    --pending_;
    return unit;
  }
  void give_back(int replica, std::size_t unit) override {
    lanes_.at(replica).push_front(unit);
    ++pending_;
  }
  std::size_t pending() const override { return pending_; }

 protected:
  void open_lanes(std::size_t units, int replicas) {
    lanes_.assign(static_cast<std::size_t>(replicas), {});
    pending_ = units;
  }
  std::vector<std::deque<std::size_t>> lanes_;

 private:
  std::size_t pending_ = 0;
};

/// One contiguous share a replica, all of it sent at the start: the DDP-style baseline.
class Static final : public Lanes {
 public:
  void plan(std::deque<std::size_t> units, int replicas) override {
    open_lanes(units.size(), replicas);
    const std::size_t count = units.size(), share = count / replicas, extra = count % replicas;
    auto from = units.begin();
    for (int r = 0; r < replicas; ++r) {
      const auto to = from + static_cast<std::ptrdiff_t>(share + (static_cast<std::size_t>(r) < extra ? 1 : 0));
      lanes_[r].assign(from, to);
      from = to;
    }
  }
  std::size_t depth(std::size_t) const override { return static_cast<std::size_t>(-1); }
};

/// Unit i belongs to replica i modulo replicas, and goes out when that replica has a credit.
class RoundRobin final : public Lanes {
 public:
  void plan(std::deque<std::size_t> units, int replicas) override {
    open_lanes(units.size(), replicas);
    for (std::size_t i = 0; i < units.size(); ++i) lanes_[i % replicas].push_back(units[i]);
  }
};

/// One queue in input order for all.
class OneQueue : public Policy {
 public:
  void plan(std::deque<std::size_t> units, int) override { queue_ = std::move(units); }
  std::optional<std::size_t> next(int replica, const std::vector<ReplicaLoad>& loads) override {
    if (queue_.empty() || !comes_first(static_cast<std::size_t>(replica), loads)) return std::nullopt;
    const std::size_t unit = queue_.front();
    queue_.pop_front();
    return unit;
  }
  void give_back(int, std::size_t unit) override { queue_.push_front(unit); }
  std::size_t pending() const override { return queue_.size(); }
  bool moves_units() const override { return true; }

 private:
  virtual bool comes_first(std::size_t replica, const std::vector<ReplicaLoad>& loads) const = 0;
  std::deque<std::size_t> queue_;
};

/// A unit goes to a replica that has a credit while no other holds fewer units.
class LeastLoaded final : public OneQueue {
  bool comes_first(std::size_t replica, const std::vector<ReplicaLoad>& loads) const override {
    return std::none_of(loads.begin(), loads.end(),
                        [&](const ReplicaLoad& other) { return other.in_hand < loads[replica].in_hand; });
  }
};

/// Units in hand in proportion to the measured speed of each replica, whatever the units cost.
class Weighted final : public OneQueue {
 public:
  explicit Weighted(const Predictor& predictor) : predictor_(predictor) {}

 private:
  bool comes_first(std::size_t replica, const std::vector<ReplicaLoad>& loads) const override {
    const auto weight = [&](std::size_t r) { return (loads[r].in_hand + 1) / predictor_.speed(static_cast<int>(r)); };
    for (std::size_t r = 0; r < loads.size(); ++r) {
      if (loads[r].has_credit && weight(r) < weight(replica)) return false;
    }
    return true;
  }
  const Predictor& predictor_;
};

using Make = std::unique_ptr<Policy> (*)(const Predictor&);
template <class Kind>
std::unique_ptr<Policy> plain(const Predictor&) {
  return std::make_unique<Kind>();
}
template <class Kind>
std::unique_ptr<Policy> predicting(const Predictor& predictor) {
  return std::make_unique<Kind>(predictor);
}

// To add a policy: a line here, and its name among those of dispatch.policy in common/job_keys.cpp.
constexpr std::pair<const char*, Make> kPolicies[] = {{"static", plain<Static>},
                                                      {"round_robin", plain<RoundRobin>},
                                                      {"least_loaded", plain<LeastLoaded>},
                                                      {"weighted", predicting<Weighted>},
                                                      {"predictive", predicting<Predictive>}};

}  // namespace

std::unique_ptr<Policy> make_policy(const std::string& name, const Predictor& predictor) {
  std::string known;
  for (const auto& [policy, make] : kPolicies) {
    if (name == policy) return make(predictor);
    known += (known.empty() ? "" : ", ") + std::string(policy);
  }
  throw ConfigError("dispatch.policy: " + name + " is unknown; use one of " + known);
}

}  // namespace trireme
