#include "worker/transport/over_mpi.h"

namespace trireme {

Traffic OverMpi::traffic() const {
  Traffic all = control_->traffic();
  all.carrier_transfers = carried_.carrier_transfers;
  all.carrier_bytes = carried_.carrier_bytes;
  return all;
}

void OverMpi::count(const at::Tensor& sent) {
  ++carried_.carrier_transfers;
  carried_.carrier_bytes += sent.nbytes();
}

TransferId OverMpi::start(std::vector<Half> group) {
  check_group(*this, group);
  const TransferId id = ++last_id_;
  Group others{id, {}, /*is_broadcast=*/false};
  for (Half& half : group) {
    if (half.direction == Direction::send) count(half.data);
    if (half.peer == rank()) {
      copies_.post(id, std::move(half));
    } else {
      others.halves.push_back(std::move(half));
    }
  }
  if (!others.halves.empty()) enqueue(std::move(others));
  return id;
}

TransferId OverMpi::broadcast(at::Tensor data, int root) {
  check_rank(*this, root);
  check_buffer(*this, data);
  const bool is_root = rank() == root;
  if (is_root) count(data);
  const TransferId id = ++last_id_;
  Group all{id, {}, /*is_broadcast=*/true};
  all.halves.push_back({root, is_root ? Direction::send : Direction::receive, std::move(data)});
  enqueue(std::move(all));
  return id;
}

}  // namespace trireme
