#pragma once
// Bytes of GPU tensors over MPI, by way of pinned host memory: the carrier inside a replica whose ranks share a GPU on
// purpose, which NCCL refuses. An operation passes three queues: copying (out of the device, in stream order) →
// carrying (MPI has it, in the order started) → landing (into the device, on the current stream of whoever polls).
// Nothing waits for a peer. Works on a CPU too, where it copies once more than MpiTransport. Construction and
// destruction are collective.

#include <deque>
#include <memory>
#include <vector>

#include "worker/device.h"
#include "worker/transport/local_copies.h"
#include "worker/transport/mpi_transport.h"
#include "worker/transport/transport.h"

namespace trireme {

class StagedTransport final : public Transport {
 public:
  /// Joins the ranks of `host`. `device`: where this rank's tensors are.
  StagedTransport(std::unique_ptr<MpiTransport> host, at::Device device);

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  const char* carrier() const override { return host_->carrier(); }
  at::Device device() const override { return device_; }
  Traffic traffic() const override;

  void send(int to, Bytes body) override { host_->send(to, std::move(body)); }
  std::optional<Message> receive() override { return host_->receive(); }
  bool flushed() override;

  TransferId start(std::vector<Half> group) override;
  bool done(TransferId id) override;
  bool follow(TransferId id) override;
  void progress() override;

  void barrier() override { host_->barrier(); }
  std::uint64_t scatter(std::span<const std::uint64_t> values, int root) override {
    return host_->scatter(values, root);
  }
  std::vector<Bytes> gather(const Bytes& mine, int root) override { return host_->gather(mine, root); }
  Bytes broadcast(Bytes bytes, int root) override { return host_->broadcast(std::move(bytes), root); }
  TransferId broadcast(at::Tensor data, int root) override;
  void warm_up(std::size_t bytes, Pattern pattern) override { host_->warm_up(bytes, pattern); }

 private:
  struct Arrival {
    at::Tensor from, to;  // on the host, on the device
  };
  struct Operation {
    TransferId id = 0;
    std::vector<Half> halves;  // on the host; of a broadcast the one buffer, with the root as peer
    bool is_broadcast = false;
    std::vector<Arrival> arrivals;
    device::Event copied;  // out of the device, then into it
    TransferId carried = 0;
  };
  Half staged(Half half, std::vector<Arrival>& arrivals) const;
  TransferId enqueue(Operation operation);
  void advance();

  std::unique_ptr<MpiTransport> host_;
  at::Device device_;
  LocalCopies copies_;
  std::deque<Operation> copying_, carrying_, landing_;
  TransferId last_id_ = 0;
  Traffic own_;  // halves to oneself
};

}  // namespace trireme
