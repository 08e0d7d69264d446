#include "worker/monitor/node_sampler.h"

#include <algorithm>
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

}  // namespace

struct NodeSampler::Shared {
  std::mutex mutex;
  std::condition_variable wake;
  std::optional<NodeSample> latest;
  bool stop = false, stopped = false;
  std::uint64_t samples = 0;
  double first_cpu_seconds = 0, further_cpu_seconds = 0;  // the first sample wakes the driver

  void run(const std::function<NodeSample()>& read, double interval_seconds) {
    std::unique_lock lock(mutex);
    while (!stop) {
      lock.unlock();
      const double before = thread_cpu_seconds();
      NodeSample sample = read();
      const double spent = thread_cpu_seconds() - before;
      lock.lock();
      latest = std::move(sample);
      (samples == 0 ? first_cpu_seconds : further_cpu_seconds) += spent;
      ++samples;
      wake.wait_for(lock, std::chrono::duration<double>(interval_seconds), [this] { return stop; });
    }
    stopped = true;
    wake.notify_all();
  }
};

NodeSampler::NodeSampler(std::function<NodeSample()> read, double interval_seconds)
    : shared_(std::make_shared<Shared>()) {
  std::thread([shared = shared_, read = std::move(read), interval_seconds] {
    shared->run(read, interval_seconds);
  }).detach();
}

NodeSampler::~NodeSampler() {
  std::unique_lock lock(shared_->mutex);
  shared_->stop = true;
  shared_->wake.notify_all();
  const bool stopped = shared_->wake.wait_for(lock, kPatience, [this] { return shared_->stopped; });
  if (!stopped) log::warning("a reading of this node hangs: the driver may need a look");
  if (shared_->samples == 0) return;
  const double further = static_cast<double>(std::max<std::uint64_t>(1, shared_->samples - 1));
  log::info("node watched", {{"samples", shared_->samples},
                             {"cpu_ms_of_the_first", 1e3 * shared_->first_cpu_seconds},
                             {"cpu_ms_a_sample", 1e3 * shared_->further_cpu_seconds / further}});
}

std::optional<NodeSample> NodeSampler::take() {
  const std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->latest, std::nullopt);
}

}  // namespace trireme
