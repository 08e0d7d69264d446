#pragma once
// All ranks of a large job but rank 0, and the network between, on a virtual clock: what rank 0 sends is answered by
// events of later times. Replicas compute for about as long as they are told, and the link into rank 0's host carries
// one result after the other. Single thread.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <vector>

#include "worker/engine/engine.h"
#include "worker/exchange/messages.h"
#include "worker/transport/transport.h"

namespace trireme {

class SimulatedCluster final : public Transport {
 public:
  struct Settings {
    double unit_ms = 700;   // of compute, give or take 5 %
    double result_mb = 0;   // that travel to rank 0 with each unit; 0: output.write: local
    double latency_us = 5;  // of a message
    double link_gb = 40;    // GB/s into rank 0's host
  };
  SimulatedCluster(const Settings& settings, int ranks)
      : settings_(settings), workers_(static_cast<std::size_t>(ranks)), random_(1) {}

  double now = 0;              // virtual seconds
  bool begun = false;          // the loop runs
  double own_seconds = 0;      // processor time of the simulation itself
  double busy_seconds = 0;     // of all replicas
  std::uint64_t messages = 0;  // of rank 0, both ways

  int rank() const override { return 0; }
  int size() const override { return static_cast<int>(workers_.size()); }
  const char* carrier() const override { return "simulated"; }
  at::Device device() const override { return at::kCPU; }
  Traffic traffic() const override { return {}; }

  void send(int to, Bytes body) override;
  std::optional<Message> receive() override;
  bool flushed() override { return true; }
  TransferId start(std::vector<Half> group) override;
  bool done(TransferId id) override;
  void progress() override {}

  void barrier() override {}
  std::uint64_t scatter(std::span<const std::uint64_t> values, int) override { return values[0]; }
  std::vector<Bytes> gather(const Bytes& mine, int) override { return {mine}; }
  Bytes broadcast(Bytes bytes, int) override { return bytes; }
  TransferId broadcast(at::Tensor, int) override { return 0; }
  void warm_up(std::size_t, Pattern) override {}

  /// The result of a unit as a rank that writes for itself would send it.
  static Finished finished(std::uint64_t unit);
  /// Of one unit: rank 0's own replica computes by the same clock.
  double service_seconds();
  void schedule(double time, std::function<void()> what) { events_.push({time, ++last_event_, std::move(what)}); }
  /// Nothing to do before this; 1e30: nothing comes any more.
  double next_event() const;

 private:
  struct Worker {
    std::deque<std::uint64_t> waiting;
    bool busy = false;
    std::uint64_t granted = 0;  // the unit whose results rank 0 has asked for
  };
  struct OwnHalf {
    at::Tensor data;
    TransferId id;
  };
  struct Event {
    double time;
    std::uint64_t number;
    std::function<void()> what;
    bool operator<(const Event& other) const { return time != other.time ? time > other.time : number > other.number; }
  };
  class Pause;

  double latency() const { return settings_.latency_us * 1e-6; }
  void run_events();
  /// Arrives at rank 0 after so many latencies.
  void tell(int from, const message::Any& message, int latencies);
  void arrive(int rank, const Unit& unit);
  void begin(int rank);
  void return_units(int rank);

  const Settings settings_;
  std::vector<Worker> workers_;
  std::mt19937_64 random_;
  std::priority_queue<Event> events_;
  std::uint64_t last_event_ = 0;
  std::deque<Message> inbox_;
  std::deque<OwnHalf> to_self_, from_self_;  // of rank 0's own replica, matched in order
  std::map<TransferId, int> unmatched_;
  std::map<TransferId, double> ends_;
  TransferId last_id_ = 0;
  double link_free_ = 0;
};

}  // namespace trireme
