#pragma once
// What carriers of device tensors have in common: messages and collectives of host data go over MPI, halves to oneself
// are copied, and what is left of a group, or a broadcast, is the carrier's to enqueue.

#include <memory>
#include <utility>
#include <vector>

#include "worker/transport/local_copies.h"
#include "worker/transport/mpi_transport.h"
#include "worker/transport/transport.h"

namespace trireme {

class OverMpi : public Transport {
 public:
  int rank() const final { return control_->rank(); }
  int size() const final { return control_->size(); }
  at::Device device() const final { return device_; }
  Traffic traffic() const final;

  void send(int to, Bytes body) final { control_->send(to, std::move(body)); }
  std::optional<Message> receive() final { return control_->receive(); }

  TransferId start(std::vector<Half> group) final;

  void barrier() final { control_->barrier(); }
  std::uint64_t scatter(std::span<const std::uint64_t> values, int root) final {
    return control_->scatter(values, root);
  }
  std::vector<Bytes> gather(const Bytes& mine, int root) final { return control_->gather(mine, root); }
  Bytes broadcast(Bytes bytes, int root) final { return control_->broadcast(std::move(bytes), root); }
  TransferId broadcast(at::Tensor data, int root) final;

 protected:
  /// Halves with others; of a broadcast the one buffer, with the root as peer.
  struct Group {
    TransferId id = 0;
    std::vector<Half> halves;
    bool is_broadcast = false;
  };
  OverMpi(std::unique_ptr<MpiTransport> control, at::Device device)
      : control_(std::move(control)), device_(device), copies_(device) {}
  /// Behind all earlier ones, as `start` says. Not called where nobody else takes part.
  virtual void enqueue(Group group) = 0;

  const std::unique_ptr<MpiTransport> control_;
  const at::Device device_;
  LocalCopies copies_;

 private:
  void count(const at::Tensor& sent);

  TransferId last_id_ = 0;
  Traffic carried_;
};

}  // namespace trireme
