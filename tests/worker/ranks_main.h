#pragma once
// main() of test programs whose cases run on several ranks together: `mpirun -n N PROGRAM self|mpi|staged|nccl`. Link
// trireme_ranks_main. Every rank runs the same cases in the same order; a failure on any fails all. Exit code 77 when
// this machine has too few GPUs for `nccl`.

#include "worker/transport/transport.h"

namespace trireme::test {

/// The transport that the program was started with, in a test.
Transport& ranks_transport();

}  // namespace trireme::test
