#include "worker/monitor/node_sampler.h"

#include <time.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "common/log.h"

namespace trireme {
namespace {

constexpr std::chrono::seconds kPatience{2};

double thread_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

struct NodeSampler::Shared {
  std::mutex mutex;
  std::condition_variable wake;
  std::optional<NodeSample> latest;
  bool stop = false, stopped = false;
  std::uint64_t samples = 0;
  double cpu_seconds = 0;

  void run(const std::function<NodeSample()>& read, double interval_seconds) {
    std::unique_lock lock(mutex);
    while (!stop) {
      lock.unlock();
      const double before = thread_cpu_seconds();
      NodeSample sample = read();
      const double spent = thread_cpu_seconds() - before;
      lock.lock();
      latest = std::move(sample);
      ++samples;
      cpu_seconds += spent;
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
  log::info("node watched", {{"samples", shared_->samples},
                             {"cpu_ms_a_sample", 1e3 * shared_->cpu_seconds / static_cast<double>(shared_->samples)}});
}

std::optional<NodeSample> NodeSampler::take() {
  const std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->latest, std::nullopt);
}

}  // namespace trireme
