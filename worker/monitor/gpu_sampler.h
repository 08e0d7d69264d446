#pragma once
// Samples this node's GPUs in little processor time. Most questions make the driver ask the GPU's own processor, with
// the asking thread spinning: half a millisecond to two and a half each. So only what is cheap is asked for every
// sample; the rest is asked in turn, as much as a sample may cost, and carried with its age. Single thread; nothing
// fails.

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "common/cpu_clock.h"
#include "common/node_sample.h"
#include "common/steady_clock.h"
#include "worker/monitor/nvml.h"

namespace trireme {

class GpuSampler {
 public:
  /// Seconds of processor time that a sample's questions may take, in the mean.
  static constexpr double kBudget = 1.6e-3;

  struct Clocks {
    std::function<double()> cpu, steady;  // seconds: of this thread's work, and of time
  };
  explicit GpuSampler(Nvml nvml) : GpuSampler(std::move(nvml), {thread_cpu_seconds, steady_seconds}) {}
  GpuSampler(Nvml nvml, Clocks clocks);

  /// Of all GPUs. `counters`: asks all of them for energy and memory errors, whatever that costs; so does the first
  /// sample, for everything. Beside that the budget holds: what a question takes too much, later samples take less.
  std::vector<GpuSample> sample(bool counters = false);

 private:
  struct Turn {
    std::size_t gpu;
    Nvml::Question question;
    const char* name;
    std::int64_t every;                    // samples from one asking to the next, if it is dear
    std::int64_t asked = kNever, due = 0;  // in which sample
    double asked_seconds = 0;
    bool answered = false;
    double cost = 0;  // seconds of processor time, of late

    bool dear() const;
  };
  static constexpr std::int64_t kNever = -1;
  /// Returns what it took.
  double ask(Turn& turn);
  void ask_in_turn();

  const Nvml nvml_;
  const Clocks clocks_;
  std::vector<Turn> turns_;
  std::vector<GpuSample> gpus_;
  std::int64_t sample_ = -1;
  double now_ = 0;
  double credit_ = 0;  // seconds of processor time; negative: taken in advance
};

}  // namespace trireme
