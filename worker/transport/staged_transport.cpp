#include "worker/transport/staged_transport.h"

#include <algorithm>
#include <utility>

namespace trireme {
namespace {

template <typename Operations>
auto find(Operations& operations, TransferId id) {
  return std::find_if(operations.begin(), operations.end(), [id](const auto& operation) { return operation.id == id; });
}

}  // namespace

StagedTransport::StagedTransport(std::unique_ptr<MpiTransport> control, at::Device device)
    : OverMpi(std::move(control)), device_(device), copies_(device) {}

Traffic StagedTransport::traffic() const {
  Traffic all = control_->traffic();
  return all += own_;
}

/// The same half with a buffer of the host's; what is to be sent is on its way there.
Half StagedTransport::staged(Half half, std::vector<Arrival>& arrivals) const {
  const at::Tensor buffer = device::host_buffer(half.data.nbytes(), device_);
  if (half.direction == Direction::send) {
    buffer.copy_(half.data, /*non_blocking=*/true);
  } else {
    arrivals.push_back({buffer, std::move(half.data)});
  }
  return {half.peer, half.direction, buffer};
}

TransferId StagedTransport::start(std::vector<Half> group) {
  check_group(*this, group);
  Operation operation;
  operation.id = ++last_id_;
  for (Half& half : group) {
    if (half.peer != rank()) {
      operation.halves.push_back(staged(std::move(half), operation.arrivals));
      continue;
    }
    if (half.direction == Direction::send) {
      ++own_.carrier_transfers;
      own_.carrier_bytes += half.data.nbytes();
    }
    copies_.post(operation.id, std::move(half));
  }
  return operation.halves.empty() ? operation.id : enqueue(std::move(operation));
}

TransferId StagedTransport::broadcast(at::Tensor data, int root) {
  check_rank(*this, root);
  check_buffer(*this, data);
  Operation operation;
  operation.id = ++last_id_;
  operation.is_broadcast = true;
  const Direction direction = rank() == root ? Direction::send : Direction::receive;
  operation.halves.push_back(staged({root, direction, std::move(data)}, operation.arrivals));
  return enqueue(std::move(operation));
}

TransferId StagedTransport::enqueue(Operation operation) {
  const TransferId id = operation.id;
  operation.copied.record(device_);
  copying_.push_back(std::move(operation));
  advance();
  return id;
}

void StagedTransport::advance() {
  while (!copying_.empty() && copying_.front().copied.done()) {
    Operation operation = std::move(copying_.front());
    copying_.pop_front();
    operation.carried = operation.is_broadcast ? control_->broadcast(operation.halves[0].data, operation.halves[0].peer)
                                               : control_->start(std::exchange(operation.halves, {}));
    carrying_.push_back(std::move(operation));
  }
  for (auto operation = carrying_.begin(); operation != carrying_.end();) {
    if (!control_->done(operation->carried)) {
      ++operation;
      continue;
    }
    for (const Arrival& arrival : operation->arrivals) arrival.to.copy_(arrival.from, /*non_blocking=*/true);
    operation->copied.record(device_);
    landing_.push_back(std::move(*operation));
    operation = carrying_.erase(operation);
  }
  std::erase_if(landing_, [](const Operation& operation) { return operation.copied.done(); });
}

bool StagedTransport::flushed() {
  advance();
  return copying_.empty() && control_->flushed();
}

void StagedTransport::progress() {
  control_->progress();
  copies_.progress();
  advance();
}

bool StagedTransport::done(TransferId id) { return follow(id) && find(landing_, id) == landing_.end(); }

bool StagedTransport::follow(TransferId id) {
  advance();
  if (copies_.pending(id) || find(copying_, id) != copying_.end() || find(carrying_, id) != carrying_.end())
    return false;
  const auto landing = find(landing_, id);
  if (landing != landing_.end()) landing->copied.block_current_stream();
  return true;
}

}  // namespace trireme
