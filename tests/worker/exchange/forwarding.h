#pragma once
// A transport that passes every call on: the base of those that watch or lie.

#include <utility>

#include "worker/transport/transport.h"

namespace trireme {

class Forwarding : public Transport {
 public:
  explicit Forwarding(Transport& carrier) : carrier_(carrier) {}
  int rank() const override { return carrier_.rank(); }
  int size() const override { return carrier_.size(); }
  const char* carrier() const override { return carrier_.carrier(); }
  at::Device device() const override { return carrier_.device(); }
  Traffic traffic() const override { return carrier_.traffic(); }
  void send(int to, Bytes body) override { carrier_.send(to, std::move(body)); }
  std::optional<Message> receive() override { return carrier_.receive(); }
  bool flushed() override { return carrier_.flushed(); }
  TransferId start(std::vector<Half> group) override { return carrier_.start(std::move(group)); }
  bool done(TransferId id) override { return carrier_.done(id); }
  bool follow(TransferId id) override { return carrier_.follow(id); }
  void progress() override { carrier_.progress(); }
  void barrier() override { carrier_.barrier(); }
  std::uint64_t scatter(std::span<const std::uint64_t> values, int root) override {
    return carrier_.scatter(values, root);
  }
  std::vector<Bytes> gather(const Bytes& mine, int root) override { return carrier_.gather(mine, root); }
  Bytes broadcast(Bytes bytes, int root) override { return carrier_.broadcast(std::move(bytes), root); }
  TransferId broadcast(at::Tensor data, int root) override { return carrier_.broadcast(data, root); }
  void warm_up(std::size_t bytes, Pattern pattern) override { carrier_.warm_up(bytes, pattern); }

 private:
  Transport& carrier_;
};

}  // namespace trireme
