#pragma once
// Ends a job whose rank makes no progress: a thread of its own that looks at a counter. It is the one thread beside the
// loop's that may call MPI, and only MPI_Abort (through `abort_job`). A rank with nothing in hand is idle, not stuck; a
// rank that is stopped altogether can't see itself, so the loop also reports how long its peer has been silent.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace trireme {

/// Decides; no threads, no clock of its own. Times in seconds on any steady clock.
class StallDetector {
 public:
  explicit StallDetector(double timeout_seconds) : timeout_(timeout_seconds) {}
  /// True when work is in hand and `counter` has not changed for the timeout.
  bool stalled(double now, std::uint64_t counter, bool busy);

 private:
  const double timeout_;
  double last_change_ = -1;
  std::uint64_t last_counter_ = 0;
};

class Watchdog {
 public:
  /// `abort_job` gets the cause, is called once from the watchdog's thread, and should not return for long: 5 s later
  /// the process ends by _exit(75).
  Watchdog(double timeout_seconds, std::function<void(const std::string& cause)> abort_job);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;

  void beat() { counter_.fetch_add(1, std::memory_order_relaxed); }
  void set_busy(bool busy) { busy_.store(busy, std::memory_order_relaxed); }
  /// What the rank is at, for the cause line: a literal.
  void set_stage(const char* stage) { stage_.store(stage, std::memory_order_relaxed); }

 private:
  void run();

  const double timeout_;
  const std::function<void(const std::string&)> abort_job_;
  std::atomic<std::uint64_t> counter_{0};
  std::atomic<bool> busy_{true};
  std::atomic<const char*> stage_{"start"};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace trireme
