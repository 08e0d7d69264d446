#pragma once
// A pool of threads that turn results into files, on rank 0 or on the rank that made them: one thread can't keep up
// with eight GPUs. The loop's thread gives results in and polls; it never waits here but in the destructor. Tensors are
// released on the thread that calls `take`, since their memory belongs to the exchange.

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "worker/output/sink.h"

namespace trireme {

class Writers {
 public:
  /// `names` as of `sink_names`; unknown ones are Error(internal). threads 0: the cores this process may use, at
  /// most 8.
  Writers(const SinkSettings& settings, const std::vector<std::string_view>& names, int threads = 0);
  /// Finishes what was given in.
  ~Writers();
  Writers(const Writers&) = delete;

  /// Tensors on the CPU, contiguous, complete. A failed result passes through without a file, and so does one whose
  /// files the rank that made it has written.
  void submit(Item item, Result result);
  /// An item whose files are durable, or that failed; in the order of finishing. Throws the Error of a sink, such as a
  /// full disk, as soon as there is one.
  std::optional<Written> take();
  /// Items given in and not taken.
  std::size_t in_hand() const { return in_hand_; }
  int threads() const { return static_cast<int>(threads_.size()); }

 private:
  struct Work {
    Result result;
    Written written;
  };
  void run();
  void write(Work& work) const;

  std::vector<std::unique_ptr<Sink>> sinks_;
  std::size_t in_hand_ = 0;  // of the loop's thread
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Work> waiting_, done_;
  std::exception_ptr error_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace trireme
