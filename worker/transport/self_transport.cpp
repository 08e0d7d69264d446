#include "worker/transport/self_transport.h"

#include <utility>

namespace trireme {

void SelfTransport::send(int to, Bytes body) {
  check_rank(*this, to);
  ++traffic_.control_messages;
  traffic_.control_bytes += body.size();
  messages_.push_back({0, std::move(body)});
}

std::optional<Message> SelfTransport::receive() {
  if (messages_.empty()) return std::nullopt;
  Message message = std::move(messages_.front());
  messages_.pop_front();
  return message;
}

TransferId SelfTransport::start(std::vector<Half> group) {
  check_group(*this, group);
  const TransferId id = ++last_id_;
  for (Half& half : group) {
    if (half.direction == Direction::send) {
      ++traffic_.carrier_transfers;
      traffic_.carrier_bytes += half.data.nbytes();
    }
    copies_.post(id, std::move(half));
  }
  return id;
}

bool SelfTransport::done(TransferId id) {
  copies_.progress();
  return !copies_.pending(id);
}

std::uint64_t SelfTransport::scatter(std::span<const std::uint64_t> values, int root) {
  check_rank(*this, root);
  check_scatter(*this, values);
  return values[0];
}

std::vector<Bytes> SelfTransport::gather(const Bytes& mine, int root) {
  check_rank(*this, root);
  return {mine};
}

Bytes SelfTransport::broadcast(Bytes bytes, int root) {
  check_rank(*this, root);
  return bytes;
}

TransferId SelfTransport::broadcast(at::Tensor data, int root) {
  check_rank(*this, root);
  return start({});
}

}  // namespace trireme
