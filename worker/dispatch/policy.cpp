#include "worker/dispatch/policy.h"

#include <algorithm>

#include "common/errors.h"

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
    return unit;
  }
  void give_back(int replica, std::size_t unit) override { lanes_.at(replica).push_front(unit); }
  std::size_t pending() const override {
    std::size_t sum = 0;
    for (const auto& lane : lanes_) sum += lane.size();
    return sum;
  }

 protected:
  std::vector<std::deque<std::size_t>> lanes_;
};

/// One contiguous share a replica, all of it sent at the start: the DDP-style baseline.
class Static final : public Lanes {
 public:
  void plan(std::deque<std::size_t> units, int replicas) override {
    lanes_.assign(replicas, {});
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
    lanes_.assign(replicas, {});
    for (std::size_t i = 0; i < units.size(); ++i) lanes_[i % replicas].push_back(units[i]);
  }
};

/// One queue; a unit goes to a replica that has a credit while no other holds fewer units.
class LeastLoaded final : public Policy {
 public:
  void plan(std::deque<std::size_t> units, int) override { queue_ = std::move(units); }
  std::optional<std::size_t> next(int replica, const std::vector<ReplicaLoad>& loads) override {
    if (queue_.empty()) return std::nullopt;
    for (const ReplicaLoad& other : loads) {
      if (other.in_hand < loads.at(replica).in_hand) return std::nullopt;
    }
    const std::size_t unit = queue_.front();
    queue_.pop_front();
    return unit;
  }
  void give_back(int, std::size_t unit) override { queue_.push_front(unit); }
  std::size_t pending() const override { return queue_.size(); }
  bool moves_units() const override { return true; }

 private:
  std::deque<std::size_t> queue_;
};

}  // namespace

std::unique_ptr<Policy> make_policy(const std::string& name) {
  if (name == "static") return std::make_unique<Static>();
  if (name == "round_robin") return std::make_unique<RoundRobin>();
  if (name == "least_loaded") return std::make_unique<LeastLoaded>();
  throw ConfigError("dispatch.policy: " + name + " is unknown; use static, round_robin or least_loaded");
}

}  // namespace trireme
