#include "worker/transport/list.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "worker/device.h"
#include "worker/transport/mpi_transport.h"
#include "worker/transport/nccl_transport.h"
#include "worker/transport/self_transport.h"
#include "worker/transport/staged_transport.h"

namespace trireme {
namespace {

using Control = std::unique_ptr<MpiTransport>;  // empty without MPI

struct Entry {
  const char* name;
  std::unique_ptr<Transport> (*make)(Control control, at::Device device);
};

constexpr std::array<Entry, 3> kTransports{{
    {"self",
     [](Control, at::Device device) -> std::unique_ptr<Transport> { return std::make_unique<SelfTransport>(device); }},
    {"mpi", [](Control control, at::Device) -> std::unique_ptr<Transport> { return control; }},
    {"nccl",
     [](Control control, at::Device device) -> std::unique_ptr<Transport> {
       return std::make_unique<NcclTransport>(std::move(control), device);
     }},
}};

std::string at_host(std::size_t rank, const Seat& seat) { return "rank " + std::to_string(rank) + " on " + seat.host; }

/// NCCL's demands: a GPU for every rank, and no GPU for two.
void require_own_gpus(std::span<const Seat> seats) {
  std::map<std::pair<std::string, std::string>, std::size_t> owners;
  for (std::size_t rank = 0; rank < seats.size(); ++rank) {
    const Seat& seat = seats[rank];
    if (seat.bus_id.empty()) {
      throw Error(
          ExitCode::unavailable,
          at_host(rank, seat) + " has no GPU, which transport nccl needs: parallel.transport: mpi does without");
    }
    const auto [owner, free] = owners.try_emplace({seat.host, seat.bus_id}, rank);
    if (!free) {
      throw Error(ExitCode::unavailable, "ranks " + std::to_string(owner->second) + " and " + std::to_string(rank) +
                                             " on " + seat.host + " share GPU " + seat.bus_id +
                                             ": start one rank per GPU, or share it with parallel.transport: mpi");
    }
  }
}

Bytes pack(const Seat& seat) { return to_bytes(seat.host + '\n' + seat.bus_id); }

Seat unpack(const Bytes& body) {
  const std::string_view text = as_text(body);
  const std::size_t middle = text.find('\n');
  return {std::string(text.substr(0, middle)), std::string(text.substr(middle + 1))};
}

/// Everybody's seat on every rank.
std::vector<Seat> exchange_seats(Transport& transport, const Seat& mine) {
  std::vector<Bytes> bodies = transport.gather(pack(mine), 0);
  bodies.resize(transport.size());
  std::vector<Seat> seats;
  for (Bytes& body : bodies) seats.push_back(unpack(transport.broadcast(std::move(body), 0)));
  return seats;
}

}  // namespace

std::string choose_transport(const std::string& name, std::span<const Seat> seats) {
  if (name == "self" && seats.size() > 1) {
    throw ConfigError("parallel.transport: self is for one rank, this job has " + std::to_string(seats.size()) +
                      ": use auto");
  }
  if (name == "nccl") require_own_gpus(seats);
  if (name != "auto") return name;
  if (seats.size() == 1) return "self";
  if (std::all_of(seats.begin(), seats.end(), [](const Seat& seat) { return seat.bus_id.empty(); })) return "mpi";
  require_own_gpus(seats);
  return "nccl";
}

std::unique_ptr<Transport> make_transport(const std::string& name, const Launch& launch, at::Device device) {
  const auto known = [](const std::string& wanted) {
    return std::find_if(kTransports.begin(), kTransports.end(),
                        [&](const Entry& entry) { return entry.name == wanted; });
  };
  if (name != "auto" && known(name) == kTransports.end()) {
    throw ConfigError("parallel.transport: " + name + " is none of auto, self, mpi, nccl");
  }
  if ((name == "mpi" || name == "nccl") && !launch.mpi) {
    throw ConfigError("parallel.transport: " + name +
                      " needs MPI, and no launcher was found: mpirun -n N trireme-worker …");
  }
  Control control = launch.mpi ? std::make_unique<MpiTransport>() : nullptr;
  const Seat mine{launch.host, device::bus_id(device)};
  const std::vector<Seat> seats = control ? exchange_seats(*control, mine) : std::vector<Seat>{mine};
  return known(choose_transport(name, seats))->make(std::move(control), device);
}

std::unique_ptr<Transport> make_replica_transport(const Transport& exchange, const Layout& layout, at::Device device) {
  if (layout.ranks_per_replica() == 1) return nullptr;
  auto control = std::make_unique<MpiTransport>(layout.replica_of(exchange.rank()));
  if (device.is_cpu()) return control;
  if (exchange.device() != device) return std::make_unique<StagedTransport>(std::move(control), device);
  return std::make_unique<NcclTransport>(std::move(control), device, NcclTransport::Use::replica);
}

}  // namespace trireme
