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
#include "worker/transport/over_mpi.h"

namespace trireme {

class StagedTransport final : public OverMpi {
 public:
  /// Joins the ranks of `control`. `device`: where this rank's tensors are.
  StagedTransport(std::unique_ptr<MpiTransport> control, at::Device device);

  const char* carrier() const override { return control_->carrier(); }
  bool flushed() override;
  bool done(TransferId id) override;
  bool follow(TransferId id) override;
  void progress() override;
  void warm_up(std::size_t bytes, Pattern pattern) override { control_->warm_up(bytes, pattern); }

 private:
  struct Arrival {
    at::Tensor from, to;  // on the host, on the device
  };
  struct Operation : Group {  // with buffers of the host's
    std::vector<Arrival> arrivals = {};
    device::Event copied = {};  // out of the device, then into it
    TransferId carried = 0;
  };
  Half staged(Half half, std::vector<Arrival>& arrivals) const;
  void enqueue(Group group) override;
  void advance();

  std::deque<Operation> copying_, carrying_, landing_;
};

}  // namespace trireme
