#pragma once
// Rank 0 of 1, without MPI: messages come back through a queue, halves are copied on the device.

#include <deque>

#include "worker/transport/local_copies.h"
#include "worker/transport/transport.h"

namespace trireme {

class SelfTransport final : public Transport {
 public:
  explicit SelfTransport(at::Device device) : device_(device), copies_(device) {}

  int rank() const override { return 0; }
  int size() const override { return 1; }
  const char* carrier() const override { return "self"; }
  at::Device device() const override { return device_; }
  Traffic traffic() const override { return traffic_; }

  void send(int to, Bytes body) override;
  std::optional<Message> receive() override;
  bool flushed() override { return true; }

  TransferId start(std::vector<Half> group) override;
  bool done(TransferId id) override;
  void progress() override { copies_.progress(); }

  void barrier() override {}
  std::uint64_t scatter(std::span<const std::uint64_t> values, int root) override;
  std::vector<Bytes> gather(const Bytes& mine, int root) override;
  Bytes broadcast(Bytes bytes, int root) override;
  TransferId broadcast(at::Tensor data, int root) override;
  void warm_up(std::size_t, Pattern) override {}

 private:
  at::Device device_;
  std::deque<Message> messages_;
  LocalCopies copies_;
  TransferId last_id_ = 0;
  Traffic traffic_;
};

}  // namespace trireme
