#pragma once
// Stages of shared memory that one thread fills by TMA and warpgroups read, each in its turn.

#include "cutlass/arch/barrier.h"

namespace trireme::kernels {

/// A stage of a ring, and whether its barriers have turned an even or an odd number of times.
template <int stages>
struct Place {
  int stage = 0;
  unsigned phase = 0;

  __device__ void operator++() {
    if (++stage == stages) stage = 0, phase ^= 1;
  }
};

/// In shared memory.
template <int stages>
class Ring {
 public:
  /// One thread, before all others. `readers` warpgroups release a stage.
  __device__ void init(int readers) {
    for (int i = 0; i < stages; ++i) full_[i].init(1), empty_[i].init(readers);
  }

  /// Waits until the stage is free. The copies that are given the result write `bytes` in all.
  __device__ std::uint64_t& begin_write(Place<stages> at, int bytes) {
    empty_[at.stage].wait(at.phase ^ 1);
    full_[at.stage].arrive_and_expect_tx(bytes);
    return reinterpret_cast<std::uint64_t&>(full_[at.stage]);
  }

  __device__ void wait(Place<stages> at) { full_[at.stage].wait(at.phase); }
  /// By one thread of a warpgroup that has read the stage.
  __device__ void release(Place<stages> at) { empty_[at.stage].arrive(); }

 private:
  cutlass::arch::ClusterTransactionBarrier full_[stages];
  cutlass::arch::ClusterBarrier empty_[stages];
};

}  // namespace trireme::kernels
