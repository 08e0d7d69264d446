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
    : OverMpi(std::move(control), device) {}

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

void StagedTransport::enqueue(Group group) {
  Operation operation{std::move(group)};
  for (Half& half : operation.halves) half = staged(std::move(half), operation.arrivals);
  operation.copied.record(device_);
  copying_.push_back(std::move(operation));
  advance();
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
