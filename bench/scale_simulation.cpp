// How far one dispatcher reaches: rank 0's own code (exchange, coordinator, policy, journal) against replicas that are
// simulated on a virtual clock. The processor time that rank 0 really uses moves the clock; replicas, messages and the
// link of rank 0's host are a model. One row a cluster size:
//   scale_simulation --unit-ms 700 --result-mb 3.1 [--replicas 8,64,512,4096] [--units 30] [--depth 2] [--policy
//   predictive]
// `busy`: what part of the time a replica computes. The knee is where it falls.

#include <ATen/ATen.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <queue>
#include <random>
#include <thread>

#include "common/cpu_clock.h"
#include "common/journal.h"
#include "common/log.h"
#include "worker/dispatch/coordinator.h"
#include "worker/exchange/codec.h"
#include "worker/exchange/messages.h"

namespace trireme {
namespace {

struct Options {
  std::vector<int> replicas{8, 64, 256, 512, 1024, 2048, 4096};
  int units = 30;  // a replica
  int depth = 2;   // queue_depth
  std::string policy = "least_loaded";
  double unit_ms = 700;   // of compute, give or take 5 %
  double result_mb = 0;   // that travel to rank 0 with each unit; 0: output.write: local
  double latency_us = 5;  // of a message
  double message_us = 2;  // MPI's own work for a message on rank 0
  double link_gb = 40;    // GB/s into rank 0's host
};

/// All ranks but rank 0, and the network between: what rank 0 sends is answered by events of later times.
class SimulatedCluster final : public Transport {
 public:
  SimulatedCluster(const Options& options, int ranks) : options_(options), workers_(ranks), random_(1) {}

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

  void send(int to, Bytes body) override {
    const Pause pause(*this);
    if (to != 0) ++messages;
    if (to == 0) return inbox_.push_back({0, std::move(body)});
    const message::Any any = message::decode(body);
    Worker& worker = workers_[static_cast<std::size_t>(to)];
    if (const auto* grant = std::get_if<message::Grant>(&any)) {
      if (grant->direction == Direction::send) worker.granted = grant->unit;
      answer(to, message::Ready{grant->seq});
    } else if (std::holds_alternative<message::Recall>(any)) {
      schedule(now + latency(), [this, to] { return_units(to); });
    } else if (std::holds_alternative<message::Finish>(any)) {
      answer(to, message::FinishAck{});
    }
  }

  std::optional<Message> receive() override {
    const Pause pause(*this);
    run_events();
    if (inbox_.empty()) return std::nullopt;
    Message message = std::move(inbox_.front());
    inbox_.pop_front();
    if (message.from != 0) ++messages;
    return message;
  }
  bool flushed() override { return true; }

  TransferId start(std::vector<Half> group) override {
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
        link_free_ = std::max(link_free_, now) + options_.result_mb * 1e6 / (options_.link_gb * 1e9);
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
  bool done(TransferId id) override {
    const auto end = ends_.find(id);
    if (end == ends_.end()) return true;
    if (end->second > now || unmatched_[id] > 0) return false;
    ends_.erase(end);
    unmatched_.erase(id);
    return true;
  }
  void progress() override {}

  void barrier() override {}
  std::uint64_t scatter(std::span<const std::uint64_t> values, int) override { return values[0]; }
  std::vector<Bytes> gather(const Bytes& mine, int) override { return {mine}; }
  Bytes broadcast(Bytes bytes, int) override { return bytes; }
  TransferId broadcast(at::Tensor, int) override { return 0; }
  void warm_up(std::size_t, Pattern) override {}

  /// The result of a unit as a rank that writes for itself would send it.
  static Finished finished(std::uint64_t unit) {
    Finished done;
    done.unit.index = unit;
    Result result{.id = std::to_string(unit)};
    result.saved = SavedFiles{{"images/" + result.id + ".png", std::string(64, '0'), 1}, {}, 0};
    done.results.push_back(std::move(result));
    return done;
  }

  /// Rank 0's own replica computes by the same clock.
  double service_seconds() {
    const double seconds = options_.unit_ms * 1e-3 * std::uniform_real_distribution<double>(0.95, 1.05)(random_);
    busy_seconds += seconds;
    return seconds;
  }
  void schedule(double time, std::function<void()> what) { events_.push({time, ++last_event_, std::move(what)}); }
  /// Nothing to do before this; infinity: nothing comes any more.
  double next_event() const {
    double next = events_.empty() ? 1e30 : events_.top().time;
    for (const auto& [id, end] : ends_) {
      if (end > now) next = std::min(next, end);
    }
    return next;
  }

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
  /// Processor time of the model is not rank 0's.
  class Pause {
   public:
    explicit Pause(SimulatedCluster& cluster) : cluster_(cluster), start_(thread_cpu_seconds()) {}
    ~Pause() { cluster_.own_seconds += thread_cpu_seconds() - start_; }

   private:
    SimulatedCluster& cluster_;
    const double start_;
  };

  double latency() const { return options_.latency_us * 1e-6; }

  void run_events() {
    while (!events_.empty() && events_.top().time <= now) {
      const auto what = events_.top().what;
      events_.pop();
      what();
    }
  }

  void answer(int from, const message::Any& message) {
    schedule(now + 2 * latency(), [this, from, body = message::encode(message)] { inbox_.push_back({from, body}); });
  }
  void tell(int from, const message::Any& message) {
    schedule(now + latency(), [this, from, body = message::encode(message)] { inbox_.push_back({from, body}); });
  }

  void arrive(int rank, const Unit& unit) {
    Worker& worker = workers_[static_cast<std::size_t>(rank)];
    worker.waiting.push_back(unit.index);
    if (!worker.busy) begin(rank);
  }

  void begin(int rank) {
    Worker& worker = workers_[static_cast<std::size_t>(rank)];
    worker.busy = !worker.waiting.empty();
    if (!worker.busy) return;
    const std::uint64_t unit = worker.waiting.front();
    worker.waiting.pop_front();
    schedule(now + service_seconds(), [this, rank, unit] {
      tell(rank, message::Offer{unit, static_cast<std::uint64_t>(packet(unit).nbytes())});
      begin(rank);
    });
  }

  void return_units(int rank) {
    Worker& worker = workers_[static_cast<std::size_t>(rank)];
    message::Returned returned;
    returned.units.assign(worker.waiting.begin(), worker.waiting.end());
    worker.waiting.clear();
    tell(rank, returned);
  }

  static at::Tensor packet(std::uint64_t unit) { return codec::pack(finished(unit), at::kCPU).bytes; }

  const Options options_;
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

Coordinator::Work pictures(std::uint64_t count) {
  Coordinator::Work work;
  for (std::uint64_t i = 0; i < count; ++i) {
    Item item;
    item.id = std::to_string(i);
    item.index = i;
    item.prompt = "a picture of a red fox in the snow, number " + item.id;
    item.width = item.height = 1024;
    work.units.push_back({i, {item}, 1});
  }
  return work;
}

/// Rank 0's replica: one unit at a time, by the virtual clock.
class OwnReplica {
 public:
  OwnReplica(SimulatedCluster& cluster, Exchange& exchange) : cluster_(cluster), exchange_(exchange) {}
  void progress() {
    while (auto unit = exchange_.next_unit()) waiting_.push_back(unit->index);
    if (exchange_.recall_wanted()) {
      std::vector<Unit> back;
      for (const std::uint64_t unit : std::exchange(waiting_, {})) back.push_back({unit, {}, 1});
      exchange_.return_units(std::move(back));
    }
    if (done_) {
      exchange_.offer(SimulatedCluster::finished(*done_));
      done_.reset();
      busy_ = false;
    }
    if (busy_ || waiting_.empty()) return;
    busy_ = true;
    const std::uint64_t unit = waiting_.front();
    waiting_.pop_front();
    cluster_.schedule(cluster_.now + cluster_.service_seconds(), [this, unit] { done_ = unit; });
  }

 private:
  SimulatedCluster& cluster_;
  Exchange& exchange_;
  std::deque<std::uint64_t> waiting_;
  std::optional<std::uint64_t> done_;
  bool busy_ = false;
};

void simulate(const Options& options, int replicas, const std::filesystem::path& folder) {
  constexpr double kIdleSleep = 100e-6;  // of the loop, half of it on average
  const std::uint64_t items = static_cast<std::uint64_t>(replicas) * options.units;
  SimulatedCluster cluster(options, replicas);
  const auto clock = [&cluster] { return cluster.now; };
  Exchange exchange(cluster, {.clock = clock, .layout = {.ranks = replicas}});
  const std::filesystem::path file = folder / "journal.jsonl";
  std::ofstream(file) << header_text("simulated");
  Journal journal(file, 1);
  Writers writers({folder, true, {}}, {}, 1);
  Dispatcher dispatcher({options.policy, options.depth}, std::vector<UnitWork>(items, UnitWork{1e-3 * options.unit_ms}),
                        replicas);
  Coordinator coordinator({exchange, dispatcher, journal, writers}, pictures(items), clock);
  exchange.scatter_first(coordinator.first_shares());
  cluster.begun = true;
  OwnReplica own(cluster, exchange);
  double used_seconds = 0;
  while (!exchange.finished()) {
    const double start = thread_cpu_seconds(), model = cluster.own_seconds;
    const std::uint64_t messages = cluster.messages;
    bool active = exchange.progress();
    own.progress();
    active = coordinator.progress() || active;
    if (active) {
      double used = thread_cpu_seconds() - start - (cluster.own_seconds - model);
      used += static_cast<double>(cluster.messages - messages) * options.message_us * 1e-6;
      used_seconds += used;
      cluster.now += used;
    } else if (coordinator.writing()) {
      std::this_thread::yield();  // the writers' thread runs by the real clock, and takes microseconds
    } else if (const double next = cluster.next_event(); next < 1e29) {
      cluster.now = std::max(cluster.now, next) + kIdleSleep / 2;
    }
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double count = static_cast<double>(items);
  std::printf("%9d %9.0f %8.1f %13.1f %14.1f %12.0f %10.1f\n", replicas, count / cluster.now,
              100 * cluster.busy_seconds / (replicas * cluster.now), 1e6 * used_seconds / count,
              static_cast<double>(cluster.messages) / count, 2 * count / cluster.now,
              static_cast<double>(usage.ru_maxrss) / 1024);
  std::fflush(stdout);
}

}  // namespace
}  // namespace trireme

int main(int argc, char** argv) {
  using namespace trireme;
  Options options;
  CLI::App app("Simulates the dispatch of a large cluster.");
  app.add_option("--replicas", options.replicas, "cluster sizes")->delimiter(',')->check(CLI::Range(1, 100'000));
  app.add_option("--units", options.units, "units a replica")->check(CLI::Range(1, 100'000));
  app.add_option("--depth", options.depth, "units a replica holds")->check(CLI::Range(1, 1024));
  app.add_option("--policy", options.policy, "dispatch.policy");
  app.add_option("--unit-ms", options.unit_ms, "compute of a unit");
  app.add_option("--result-mb", options.result_mb, "result of a unit that goes to rank 0; 0: ranks write");
  app.add_option("--latency-us", options.latency_us, "of a message");
  app.add_option("--message-us", options.message_us, "MPI's work for a message on rank 0");
  app.add_option("--link-gb", options.link_gb, "GB/s into rank 0's host");
  CLI11_PARSE(app, argc, argv);
  log::open(0, "", log::Level::error, log::Level::error);
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("scale-simulation-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  std::printf("# unit %.0f ms, result %.1f MB, queue depth %d, %s, %d units a replica\n", options.unit_ms,
              options.result_mb, options.depth, options.policy.c_str(), options.units);
  std::printf("# replicas   items/s   busy %%  rank0 us/item  messages/item  journal/s   RSS MB\n");
  for (const int replicas : options.replicas) simulate(options, replicas, folder);
  std::filesystem::remove_all(folder);
}
