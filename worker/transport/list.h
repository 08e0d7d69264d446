#pragma once
// The transports there are, and which one a job gets. To add one: an entry in list.cpp.

#include <memory>
#include <span>
#include <string>

#include "common/layout.h"
#include "worker/transport/launch.h"
#include "worker/transport/transport.h"

namespace trireme {

/// Collective. `name`: one of the list, or "auto": self for one rank, nccl when ranks have GPUs, mpi on CPUs. `device`:
/// where this rank computes; transfer buffers live on `Transport::device()`, which is the CPU under mpi. Throws on
/// every rank alike: ConfigError for a name or a launch that can't be, Error(unavailable) for missing or shared GPUs.
std::unique_ptr<Transport> make_transport(const std::string& name, const Launch& launch, at::Device device);

/// Collective over all ranks: what carries bytes within a replica, between tensors of `device`, on the compute stream
/// (the current one) where that is a GPU's. Its ranks are places, from 0. `exchange`: the one of all ranks; null when a
/// replica is one rank.
std::unique_ptr<Transport> make_replica_transport(const Transport& exchange, const Layout& layout, at::Device device);

/// Where a rank computes, for the decision; exposed for tests.
struct Seat {
  std::string host;
  std::string bus_id;  // empty for a CPU
};
/// The name `make_transport` goes by; `seats` in rank order.
std::string choose_transport(const std::string& name, std::span<const Seat> seats);

}  // namespace trireme
