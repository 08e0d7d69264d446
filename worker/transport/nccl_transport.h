#pragma once
// Bytes over NCCL between GPUs, messages and collectives of host data over MPI. One communicator: `exchange` of all
// ranks on a high-priority stream of its own, or `replica` of the ranks of one replica on the compute stream, the
// current one at construction. An operation passes three queues in order: waiting (NCCL works on an earlier one) →
// launching (the group is closed, NCCL still at it) → running (its event is recorded and polled); nothing waits for a
// peer. Construction and destruction are collective; with an exception on its way the communicator is aborted.

#include <c10/cuda/CUDAStream.h>

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "worker/device.h"
#include "worker/transport/nccl_communicator.h"
#include "worker/transport/over_mpi.h"

namespace trireme {

class NcclTransport final : public OverMpi {
 public:
  enum class Use { exchange, replica };
  /// `device`: this rank's own GPU. The communicator joins the ranks of `control`.
  NcclTransport(std::unique_ptr<MpiTransport> control, at::Device device, Use use = Use::exchange);
  ~NcclTransport() override;

  const char* carrier() const override { return "nccl"; }
  std::size_t carrier_memory() const override { return memory_; }
  bool flushed() override;
  bool done(TransferId id) override;
  bool follow(TransferId id) override;
  void progress() override;
  void warm_up(std::size_t bytes, Pattern pattern) override;

 private:
  struct Operation : Group {
    device::Event ready = {};  // the caller's work so far
    device::Event moved = {};
  };
  void enqueue(Group group) override;
  void launch(const Operation& operation);
  void advance();

  c10::cuda::CUDAStream stream_;
  std::size_t memory_ = 0;
  std::optional<NcclCommunicator> communicator_;
  std::deque<Operation> waiting_, running_;
  std::optional<Operation> launching_;
  NcclCommunicator::Deadline launch_deadline_;
};

}  // namespace trireme
