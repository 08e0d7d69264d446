#pragma once
// Work of a stage beside the ring, on a stream of its own: encoding the next prompt on the first stage, decoding a
// finished picture on the last. On a CPU its slices take turns with the ring's.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "common/errors.h"
#include "worker/device.h"
#include "worker/engine/slices_in_flight.h"
#include "worker/engine/unit_work.h"

namespace trireme {

class SideWork {
 public:
  explicit SideWork(at::Device device)
      : device_(device), stream_(device, /*high_priority=*/false), in_flight_(device) {}

  /// What to do, behind what is now enqueued on the current stream. `plan` fills the slices; it and they may throw an
  /// item's error, which ends the task. Tasks run in order.
  struct Task {
    std::function<void(Slices&)> plan;
    std::function<bool(const ItemError&)> again;  // of an item's error: true to plan once more, without the item
    Slices slices;
    std::size_t next = 0;
    bool planned = false, enqueued = false;
    std::string error;  // why the unit fails
    PhaseClock clock;
    explicit Task(at::Device device) : clock(device) {}
    /// All of it is enqueued, or it has failed.
    bool complete() const { return enqueued && clock.ended(); }
  };
  std::shared_ptr<Task> add(std::function<void(Slices&)> plan, std::function<bool(const ItemError&)> again = {});

  /// Enqueues slices until `in_flight` are under way or the time is up, but one at least; on a CPU runs one. True if
  /// anything happened.
  bool progress(std::size_t in_flight, std::chrono::steady_clock::time_point until);
  bool runnable() const { return !tasks_.empty(); }
  bool idle() const { return tasks_.empty() && in_flight_.empty(); }
  std::uint64_t slices_done() const { return in_flight_.done(); }

 private:
  void run_one();
  void run_slice(Task& task, const device::Event& after);

  at::Device device_;
  device::Stream stream_;
  struct Queued {
    std::shared_ptr<Task> task;
    device::Event after;  // of the stream that the task was given on
  };
  std::deque<Queued> tasks_;
  SlicesInFlight in_flight_;
};

}  // namespace trireme
