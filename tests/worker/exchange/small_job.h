#pragma once
// A job in miniature over any transport: a coordinator without a policy, and an engine that makes results from a unit's
// number alone. Every rank knows the script, so every rank can tell what it should receive. Throws Error when a payload
// is not what it should be, or when a unit is delivered twice or not at all.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "worker/exchange/exchange.h"

namespace trireme::small_job {

struct Script {
  std::uint64_t seed = 0;
  int units = 0;
  int depth = 2;                  // units a replica holds
  bool everything_first = false;  // all units in the first scatter
  int largest_side = 8;           // of pictures; sizes differ from unit to unit
  int longest_prompt = 40;
  int longest_compute = 20;  // passes of the loop
  int matrix_products = 0;   // of 2048 x 2048 on a GPU for each unit, instead
  int failing = 5;           // one unit in so many fails; 0 = none
  int slow_writers = 0;      // passes that a delivery is held at most
  int recalls = 0;           // one pass in so many asks for a recall; 0 = never
  int drain_after = 0;       // some rank asks to drain after so many passes; 0 = never
  std::size_t pool_bytes = 1 << 20;
};

/// Everything drawn from the seed; small, for thousands of schedules.
Script random_script(std::uint64_t seed, int ranks);

struct Report {
  int delivered = 0, failed = 0, returned = 0;  // on rank 0
  int left_over = 0;                            // not handed out because of the drain
  std::uint64_t passes = 0;
  double longest_pass_seconds = 0;
};

/// Every rank. `compute`: where results are made. `nap`: called in passes without work. With `replica`, the ranks of
/// one replica, units go as messages from its first rank to its last, which makes the results.
struct Ground {
  Transport& transport;
  Transport* replica = nullptr;
};
Report run(
    Ground ground, const Script& script, at::Device compute, void (*nap)() = [] {});

}  // namespace trireme::small_job
