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

/// What a rank has in hand. One that computes and stands still is stuck by its own work; one that waits may be kept
/// waiting by another, whose watchdog should speak first.
enum class Busy { nothing, waiting, computing };

/// Decides; no threads, no clock of its own. Times in seconds on any steady clock.
class StallDetector {
 public:
  explicit StallDetector(double timeout_seconds) : timeout_(timeout_seconds) {}
  /// True when something is in hand and `counter` has not changed for the timeout, or half as long again when waiting.
  bool stalled(double now, std::uint64_t counter, Busy busy);
  /// How long the counter may stand still.
  double limit(Busy busy) const;

 private:
  const double timeout_;
  double last_change_ = -1;
  std::uint64_t last_counter_ = 0;
};

class Watchdog {
 public:
  /// `abort_job` is called once from the watchdog's thread, and should not return for long: 5 s later the process ends
  /// by _exit(75).
  using AbortJob = std::function<void(const std::string& cause, Busy busy)>;
  Watchdog(double timeout_seconds, AbortJob abort_job);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;

  void beat() { counter_.fetch_add(1, std::memory_order_relaxed); }
  void set_busy(Busy busy) { busy_.store(busy, std::memory_order_relaxed); }
  /// What the rank is at, for the cause line: a literal.
  void set_stage(const char* stage) { stage_.store(stage, std::memory_order_relaxed); }

 private:
  void run();

  const double timeout_;
  const AbortJob abort_job_;
  std::atomic<std::uint64_t> counter_{0};
  std::atomic<Busy> busy_{Busy::computing};
  std::atomic<const char*> stage_{"start"};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace trireme
