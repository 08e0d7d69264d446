// How far one dispatcher reaches: rank 0's own code (exchange, coordinator, policy, journal) against replicas that are
// simulated on a virtual clock. The processor time that rank 0 really uses moves the clock; replicas, messages and the
// link of rank 0's host are a model. One row a cluster size:
//   scale_simulation --unit-ms 700 --result-mb 3.1 [--replicas 8,64,512,4096] [--units 30] [--depth 2] [--policy
//   predictive]
// `busy`: what part of the time a replica computes. The knee is where it falls.

#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/simulated_cluster.h"
#include "common/cpu_clock.h"
#include "common/journal.h"
#include "common/log.h"
#include "worker/dispatch/coordinator.h"

namespace trireme {
namespace {

struct Options {
  std::vector<int> replicas{8, 64, 256, 512, 1024, 2048, 4096};
  int units = 30;  // a replica
  int depth = 2;   // queue_depth
  std::string policy = "least_loaded";
  double message_us = 2;  // MPI's own work for a message on rank 0
  SimulatedCluster::Settings cluster;
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
  SimulatedCluster cluster(options.cluster, replicas);
  const auto clock = [&cluster] { return cluster.now; };
  Exchange exchange(cluster, {.clock = clock, .layout = {.ranks = replicas}});
  const std::filesystem::path file = folder / "journal.jsonl";
  std::ofstream(file) << header_text("simulated");
  Journal journal(file, 1);
  Writers writers({folder, true, {}}, {}, 1);
  Dispatcher dispatcher({options.policy, options.depth},
                        std::vector<UnitWork>(items, UnitWork{1e-3 * options.cluster.unit_ms}), replicas);
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
  app.add_option("--unit-ms", options.cluster.unit_ms, "compute of a unit");
  app.add_option("--result-mb", options.cluster.result_mb, "result of a unit that goes to rank 0; 0: ranks write");
  app.add_option("--latency-us", options.cluster.latency_us, "of a message");
  app.add_option("--message-us", options.message_us, "MPI's work for a message on rank 0");
  app.add_option("--link-gb", options.cluster.link_gb, "GB/s into rank 0's host");
  CLI11_PARSE(app, argc, argv);
  log::open(0, "", log::Level::error, log::Level::error);
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("scale-simulation-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  std::printf("# unit %.0f ms, result %.1f MB, queue depth %d, %s, %d units a replica\n", options.cluster.unit_ms,
              options.cluster.result_mb, options.depth, options.policy.c_str(), options.units);
  std::printf("# replicas   items/s   busy %%  rank0 us/item  messages/item  journal/s   RSS MB\n");
  for (const int replicas : options.replicas) simulate(options, replicas, folder);
  std::filesystem::remove_all(folder);
}
