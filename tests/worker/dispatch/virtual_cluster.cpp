#include "tests/worker/dispatch/virtual_cluster.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <numeric>
#include <queue>

namespace trireme::virtual_cluster {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

double next_change(const Scenario& scenario, double time) {
  const auto change = std::upper_bound(scenario.changes.begin(), scenario.changes.end(), time);
  return change == scenario.changes.end() ? kNever : *change;
}

/// When `work` that begins at `time` on these replicas together is done.
double end_of(const Scenario& scenario, double work, double time, const std::vector<int>& replicas) {
  while (true) {
    double speed = 0;
    for (const int r : replicas) speed += scenario.speed(r, time);
    const double change = next_change(scenario, time), end = time + work / speed;
    if (end <= change) return end;
    work -= (change - time) * speed;
    time = change;
  }
}

class Cluster {
 public:
  explicit Cluster(const Scenario& scenario)
      : scenario_(scenario), dispatcher_(scenario.dispatch, scenario.predicted, scenario.replicas) {
    outcome_.busy.resize(static_cast<std::size_t>(scenario.replicas));
    outcome_.ran.resize(scenario.work.size());
    held_.resize(outcome_.busy.size());
    ends_.resize(outcome_.busy.size(), kNever);
  }

  Outcome run() {
    std::deque<std::size_t> all(scenario_.work.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    dispatcher_.plan(std::move(all));
    settle(0);
    while (!events_.empty()) {
      const auto [time, replica] = events_.top();
      events_.pop();
      finish(static_cast<std::size_t>(replica), time);
      settle(time);
      outcome_.makespan = time;
    }
    return outcome_;
  }

 private:
  using Event = std::pair<double, int>;

  void begin(std::size_t replica, double time) {
    if (held_[replica].empty() || ends_[replica] != kNever) return;
    const std::size_t unit = held_[replica].front();
    ends_[replica] = end_of(scenario_, scenario_.work[unit], time, {static_cast<int>(replica)});
    outcome_.busy[replica] += ends_[replica] - time;
    ++outcome_.ran[unit];
    events_.emplace(ends_[replica], static_cast<int>(replica));
  }

  void finish(std::size_t replica, double time) {
    const std::size_t unit = held_[replica].front();
    held_[replica].pop_front();
    ends_[replica] = kNever;
    const double tokens = scenario_.tokens.empty() ? 0 : scenario_.tokens[unit];
    dispatcher_.finished(static_cast<int>(replica), unit, time, tokens);
    begin(replica, time);
  }

  void refill(double time) {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t r = 0; r < held_.size(); ++r) {
        if (const auto unit = dispatcher_.next(static_cast<int>(r), time)) {
          held_[r].push_back(*unit);
          begin(r, time);
          moved = true;
        }
      }
    }
  }

  void settle(double time) {
    refill(time);
    while (const auto replica = dispatcher_.recall(time)) {
      auto& held = held_[static_cast<std::size_t>(*replica)];
      const std::vector<std::size_t> back(held.begin() + 1, held.end());
      held.resize(1);
      outcome_.moved += back.size();
      dispatcher_.returned(*replica, back);
      refill(time);
    }
  }

  const Scenario& scenario_;
  Dispatcher dispatcher_;
  Outcome outcome_;
  std::vector<std::deque<std::size_t>> held_;  // the first is at work
  std::vector<double> ends_;                   // of the unit at work
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

}  // namespace

double Outcome::balance() const {
  const double most = *std::max_element(busy.begin(), busy.end());
  return most > 0 ? std::accumulate(busy.begin(), busy.end(), 0.0) / (most * static_cast<double>(busy.size())) : 1;
}

Outcome run(const Scenario& scenario) { return Cluster(scenario).run(); }

double lower_bound(const Scenario& scenario) {
  std::vector<double> longest = scenario.work;
  std::sort(longest.begin(), longest.end(), std::greater<>());
  std::vector<int> fastest(static_cast<std::size_t>(scenario.replicas));
  std::iota(fastest.begin(), fastest.end(), 0);
  double bound = end_of(scenario, std::accumulate(longest.begin(), longest.end(), 0.0), 0, fastest);
  if (!scenario.changes.empty()) return bound;
  const auto speed = [&](int r) { return scenario.speed(r, 0); };
  std::sort(fastest.begin(), fastest.end(), [&](int a, int b) { return speed(a) > speed(b); });
  double work = 0, speeds = 0;
  for (std::size_t i = 0; i < std::min(fastest.size(), longest.size()); ++i) {
    bound = std::max(bound, (work += longest[i]) / (speeds += speed(fastest[i])));
  }
  if (speed(fastest.front()) != speed(fastest.back())) return bound;
  for (std::size_t k = 1, m = fastest.size(); k * m < longest.size(); ++k) {
    const auto last = longest.begin() + static_cast<std::ptrdiff_t>(k * m + 1);
    bound = std::max(bound, std::accumulate(last - static_cast<std::ptrdiff_t>(k + 1), last, 0.0) / speed(0));
  }
  return bound;
}

}  // namespace trireme::virtual_cluster
