#pragma once
// The frame of a program that runs on every rank over one named carrier: MPI, device, stream and transport, and an end
// that takes all ranks along.

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "worker/transport/transport.h"

namespace trireme::on_ranks {

constexpr int kSkipped = 77;

/// Runs `body` with the carrier ("self", "mpi", "nccl") and the device to compute on: a GPU under nccl, and under self
/// where there is one. Returns the exit code; kSkipped when nccl lacks GPUs.
int run(const std::string& carrier, const std::function<void(Transport&, at::Device)>& body);

/// A pause for passes without work: ranks may share cores.
void nap();

}  // namespace trireme::on_ranks
