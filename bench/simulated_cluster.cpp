#include "bench/simulated_cluster.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>
#include <utility>

#include "common/cpu_clock.h"
#include "worker/exchange/codec.h"

namespace trireme {
namespace {

constexpr int kOneWay = 1, kRoundTrip = 2;  // latencies

at::Tensor packet(std::uint64_t unit) { return codec::pack(SimulatedCluster::finished(unit), at::kCPU).bytes; }

}  // namespace

/// Processor time of the model is not rank 0's.
class SimulatedCluster::Pause {
 public:
  explicit Pause(SimulatedCluster& cluster) : cluster_(cluster), start_(thread_cpu_seconds()) {}
  ~Pause() { cluster_.own_seconds += thread_cpu_seconds() - start_; }

 private:
  SimulatedCluster& cluster_;
  const double start_;
};

void SimulatedCluster::send(int to, Bytes body) {
  const Pause pause(*this);
  if (to != 0) ++messages;
  if (to == 0) return inbox_.push_back({0, std::move(body)});
  const message::Any any = message::decode(body);
  Worker& worker = workers_[static_cast<std::size_t>(to)];
  if (const auto* grant = std::get_if<message::Grant>(&any)) {
    if (grant->direction == Direction::send) worker.granted = grant->unit;
    tell(to, message::Ready{grant->seq}, kRoundTrip);
  } else if (std::holds_alternative<message::Recall>(any)) {
    schedule(now + latency(), [this, to] { return_units(to); });
  } else if (std::holds_alternative<message::Finish>(any)) {
    tell(to, message::FinishAck{}, kRoundTrip);
  }
}

std::optional<Message> SimulatedCluster::receive() {
  const Pause pause(*this);
  run_events();
  if (inbox_.empty()) return std::nullopt;
  Message message = std::move(inbox_.front());
  inbox_.pop_front();
  if (message.from != 0) ++messages;
  return message;
}

TransferId SimulatedCluster::start(std::vector<Half> group) {
  const Pause pause(*this);
  double end = now;
  for (Half& half : group) {
    if (half.peer == 0) {
      (half.direction == Direction::send ? to_self_ : from_self_).push_back({half.data, last_id_ + 1});
      ++unmatched_[last_id_ + 1];
    } else if (half.direction == Direction::send) {
      end = std::max(end, now + latency());
      for (const Unit& unit : codec::decode_units(codec::view(half.data))) {
        schedule(now + latency(), [this, peer = half.peer, unit] { arrive(peer, unit); });
      }
    } else {
      link_free_ = std::max(link_free_, now) + settings_.result_mb * 1e6 / (settings_.link_gb * 1e9);
      end = std::max(end, link_free_ + latency());
      const std::uint64_t unit = workers_[static_cast<std::size_t>(half.peer)].granted;
      half.data.copy_(packet(unit));
    }
  }
  ++last_id_;
  ends_.emplace(last_id_, begun ? end : now);  // the first scatter is waited for
  while (!to_self_.empty() && !from_self_.empty()) {
    from_self_.front().data.copy_(to_self_.front().data);
    for (const OwnHalf& half : {from_self_.front(), to_self_.front()}) --unmatched_[half.id];
    to_self_.pop_front();
    from_self_.pop_front();
  }
  return last_id_;
}

bool SimulatedCluster::done(TransferId id) {
  const auto end = ends_.find(id);
  if (end == ends_.end()) return true;
  if (end->second > now || unmatched_[id] > 0) return false;
  ends_.erase(end);
  unmatched_.erase(id);
  return true;
}

Finished SimulatedCluster::finished(std::uint64_t unit) {
  Finished done;
  done.unit.index = unit;
  Result result{.id = std::to_string(unit)};
  result.saved = SavedFiles{{"images/" + result.id + ".png", std::string(64, '0'), 1}, {}, 0};
  done.results.push_back(std::move(result));
  return done;
}

double SimulatedCluster::service_seconds() {
  const double seconds = settings_.unit_ms * 1e-3 * std::uniform_real_distribution<double>(0.95, 1.05)(random_);
  busy_seconds += seconds;
  return seconds;
}

double SimulatedCluster::next_event() const {
  double next = events_.empty() ? 1e30 : events_.top().time;
  for (const auto& [id, end] : ends_) {
    if (end > now) next = std::min(next, end);
  }
  return next;
}

void SimulatedCluster::run_events() {
  while (!events_.empty() && events_.top().time <= now) {
    const auto what = events_.top().what;
    events_.pop();
    what();
  }
}

void SimulatedCluster::tell(int from, const message::Any& message, int latencies) {
  schedule(now + latencies * latency(), [this, from, body = message::encode(message)] {
    inbox_.push_back({from, body});
  });
}

void SimulatedCluster::arrive(int rank, const Unit& unit) {
  Worker& worker = workers_[static_cast<std::size_t>(rank)];
  worker.waiting.push_back(unit.index);
  if (!worker.busy) begin(rank);
}

void SimulatedCluster::begin(int rank) {
  Worker& worker = workers_[static_cast<std::size_t>(rank)];
  worker.busy = !worker.waiting.empty();
  if (!worker.busy) return;
  const std::uint64_t unit = worker.waiting.front();
  worker.waiting.pop_front();
  schedule(now + service_seconds(), [this, rank, unit] {
    tell(rank, message::Offer{unit, static_cast<std::uint64_t>(packet(unit).nbytes())}, kOneWay);
    begin(rank);
  });
}

void SimulatedCluster::return_units(int rank) {
  Worker& worker = workers_[static_cast<std::size_t>(rank)];
  message::Returned returned;
  returned.units.assign(worker.waiting.begin(), worker.waiting.end());
  worker.waiting.clear();
  tell(rank, returned, kOneWay);
}

}  // namespace trireme
