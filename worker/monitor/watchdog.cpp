#include "worker/monitor/watchdog.h"

#include <unistd.h>

#include <algorithm>

#include "common/errors.h"
#include "common/steady_clock.h"

namespace trireme {
namespace {

constexpr double kPatience = 1.5;  // of a rank that waits for another

}  // namespace

bool StallDetector::stalled(double now, std::uint64_t counter, Busy busy) {
  if (last_change_ < 0 || counter != last_counter_ || busy == Busy::nothing) {
    last_change_ = now;
    last_counter_ = counter;
    return false;
  }
  return now - last_change_ >= limit(busy);
}

double StallDetector::limit(Busy busy) const { return busy == Busy::waiting ? kPatience * timeout_ : timeout_; }

Watchdog::Watchdog(double timeout_seconds, AbortJob abort_job)
    : timeout_(timeout_seconds), abort_job_(std::move(abort_job)), thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Watchdog::run() {
  StallDetector detector(timeout_);
  const auto interval = std::chrono::duration<double>(std::clamp(timeout_ / 10, 0.05, 1.0));
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval, [this] { return stop_; })) {
    const double now = steady_seconds();
    const Busy busy = busy_.load(std::memory_order_relaxed);
    if (!detector.stalled(now, counter_.load(std::memory_order_relaxed), busy)) continue;
    std::thread last_resort([] {
      std::this_thread::sleep_for(std::chrono::seconds(5));
      _exit(static_cast<int>(ExitCode::stopped_early));
    });
    last_resort.detach();
    abort_job_("no progress for " + std::to_string(static_cast<long>(detector.limit(busy))) +
                   " s (limits.stall_timeout_seconds) while at: " + stage_.load(std::memory_order_relaxed) +
                   "; run the same command again to resume",
               busy);
    return;
  }
}

}  // namespace trireme
