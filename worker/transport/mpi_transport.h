#pragma once
// Ranks over MPI alone: control on one communicator, bytes on another, so that neither waits for the other. The carrier
// of CPU runs, and of ranks that share a GPU on purpose. Transfer buffers are always on the CPU: where a rank computes
// on a GPU, the caller copies between the device and pinned host memory itself, and starts a send once that copy is
// done. Control messages travel in pieces that every MPI buffers, so that they leave whatever their receiver's host
// does. Construction and destruction are collective. Collectives are polled with short sleeps: ranks may share cores.

#include <deque>
#include <map>
#include <vector>

#include "worker/transport/local_copies.h"
#include "worker/transport/mpi_handles.h"
#include "worker/transport/transport.h"

namespace trireme {

class MpiTransport final : public Transport {
 public:
  /// MPI must be up (Launch::mpi). The ranks that give the same `group` talk to each other, numbered from 0 in the
  /// order of the job's ranks. Collective over all ranks of the job.
  explicit MpiTransport(int group = 0);
  ~MpiTransport() override;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  const char* carrier() const override { return "mpi"; }
  at::Device device() const override { return at::kCPU; }
  Traffic traffic() const override { return traffic_; }

  void send(int to, Bytes body) override;
  std::optional<Message> receive() override;
  bool flushed() override;

  TransferId start(std::vector<Half> group) override;
  bool done(TransferId id) override;
  void progress() override;

  void barrier() override;
  std::uint64_t scatter(std::span<const std::uint64_t> values, int root) override;
  std::vector<Bytes> gather(const Bytes& mine, int root) override;
  Bytes broadcast(Bytes bytes, int root) override;
  TransferId broadcast(at::Tensor data, int root) override;
  void warm_up(std::size_t bytes, Pattern pattern) override;

 private:
  struct Outgoing {
    Bytes body;
    mpi::Request request;
  };
  struct Incoming {
    Message message;
    mpi::Request request;
  };
  struct Transfer {
    std::vector<at::Tensor> data;  // held until done
    std::vector<mpi::Request> requests;
  };
  void send_piece(int to, Bytes body);
  void match_incoming();

  int rank_ = 0, size_ = 1;
  mpi::Communicator control_, bytes_;
  std::deque<Outgoing> outgoing_;
  std::deque<Incoming> incoming_;  // pieces, in the order matched, so in order for each sender
  std::map<int, Bytes> begun_;     // of messages by their sender
  LocalCopies copies_{at::Device(at::kCPU)};
  std::map<TransferId, Transfer> transfers_;
  TransferId last_id_ = 0;
  Traffic traffic_;
};

}  // namespace trireme
