#pragma once
// What a carrier of its own leaves to MPI: who we are, messages, and collectives of host data.

#include <memory>
#include <utility>

#include "worker/transport/mpi_transport.h"
#include "worker/transport/transport.h"

namespace trireme {

class OverMpi : public Transport {
 public:
  int rank() const final { return control_->rank(); }
  int size() const final { return control_->size(); }

  void send(int to, Bytes body) final { control_->send(to, std::move(body)); }
  std::optional<Message> receive() final { return control_->receive(); }

  void barrier() final { control_->barrier(); }
  std::uint64_t scatter(std::span<const std::uint64_t> values, int root) final {
    return control_->scatter(values, root);
  }
  std::vector<Bytes> gather(const Bytes& mine, int root) final { return control_->gather(mine, root); }
  Bytes broadcast(Bytes bytes, int root) final { return control_->broadcast(std::move(bytes), root); }
  using Transport::broadcast;  // of tensors: the carrier's

 protected:
  explicit OverMpi(std::unique_ptr<MpiTransport> control) : control_(std::move(control)) {}

  const std::unique_ptr<MpiTransport> control_;
};

}  // namespace trireme
