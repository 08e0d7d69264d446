#include "worker/monitor/node_sampler.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "common/cpu_clock.h"
#include "common/log.h"

namespace trireme {
namespace {

constexpr std::chrono::seconds kPatience{2};

/// Of some samples: how many, and the processor time they took.
struct Spent {
  int samples = 0;
  double seconds = 0;
  double mean_ms() const { return samples == 0 ? 0 : 1e3 * seconds / samples; }
};

}  // namespace

struct NodeSampler::Shared {
  std::mutex mutex;
  std::condition_variable wake;
  std::optional<NodeSample> latest;
  bool counters = false, stop = false, stopped = false, hangs = false;
  Spent first, with_counters, others;

  void run(const std::function<NodeSample(bool)>& read, double interval_seconds) {
    std::unique_lock lock(mutex);
    while (!stop || counters) {
      const bool with = std::exchange(counters, false);
      lock.unlock();
      const double before = thread_cpu_seconds();
      NodeSample sample = read(with);
      const double seconds = thread_cpu_seconds() - before;
      lock.lock();
      latest = std::move(sample);
      Spent& spent = first.samples == 0 ? first : with ? with_counters : others;
      ++spent.samples;
      spent.seconds += seconds;
      wake.wait_for(lock, std::chrono::duration<double>(interval_seconds), [this] { return stop || counters; });
    }
    stopped = true;
    wake.notify_all();
  }

  void wait_for_the_end(std::unique_lock<std::mutex>& lock) {
    wake.notify_all();
    if (hangs) return;
    hangs = !wake.wait_for(lock, kPatience, [this] { return stopped; });
    if (hangs) log::warning("a reading of this node hangs: the driver may need a look");
  }
};

NodeSampler::NodeSampler(std::function<NodeSample(bool)> read, double interval_seconds)
    : shared_(std::make_shared<Shared>()) {
  std::thread([shared = shared_, read = std::move(read), interval_seconds] {
    shared->run(read, interval_seconds);
  }).detach();
}

NodeSampler::~NodeSampler() {
  std::unique_lock lock(shared_->mutex);
  shared_->stop = true;
  shared_->counters = false;
  shared_->wait_for_the_end(lock);
  const Spent &first = shared_->first, &others = shared_->others, &with_counters = shared_->with_counters;
  if (first.samples == 0) return;
  log::info("node watched", {{"samples", first.samples + others.samples + with_counters.samples},
                             {"cpu_ms_a_sample", others.mean_ms()},
                             {"cpu_ms_of_the_first", first.mean_ms()},
                             {"cpu_ms_with_counters", with_counters.mean_ms()}});
}

std::optional<NodeSample> NodeSampler::take() {
  const std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->latest, std::nullopt);
}

void NodeSampler::read_counters() {
  const std::lock_guard lock(shared_->mutex);
  shared_->counters = true;
  shared_->wake.notify_all();
}

std::optional<NodeSample> NodeSampler::finish() {
  std::unique_lock lock(shared_->mutex);
  shared_->stop = shared_->counters = true;
  shared_->wait_for_the_end(lock);
  return std::exchange(shared_->latest, std::nullopt);
}

}  // namespace trireme
