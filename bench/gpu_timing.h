#pragma once
// Device time of work that is repeated as a CUDA graph, so that the host's launches don't count, with the card's clock
// and power meanwhile. On a CPU the work is simply run: for trying a benchmark out.

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace trireme::bench {

struct Timing {
  double ms = 0;                 // median of the repeats
  double sm_mhz = 0, watts = 0;  // medians while they ran; 0 = unknown
};

/// Device time of `work`, launched once.
double launched_ms(at::Device device, const std::function<void()>& work);

/// `work(i)` for i = 0 to `calls` - 1 is captured once; ms of one call.
double graph_ms(at::Device device, int calls, const std::function<void(int)>& work);

struct Plan {
  double warm_seconds = 2;  // of repeats before the measured ones: a cold card is faster
  int repeats = 20;
  bool graph = true;  // else launched anew each time
};
Timing time_hot(at::Device device, const Plan& plan, const std::function<void()>& work);

/// Several in turns, so that the card is as hot for one as for the others: `plan` without its `graph`, in four turns.
struct Contender {
  std::function<void()> work;
  bool graph = true;
  int runs = 1;  // that a call of `work` is: ms of one
};
/// A graph of `work(i)` for i = 0 to `calls` - 1.
Contender in_a_row(int calls, const std::function<void(int)>& work);
std::vector<Timing> time_in_turns(at::Device device, const Plan& plan, const std::vector<Contender>& contenders);

/// Kernels of one run of `work` by their share of the time, one a line: ms, launches, name; at most `lines`.
std::string profile(at::Device device, const std::function<void()>& work, std::size_t lines);

}  // namespace trireme::bench
