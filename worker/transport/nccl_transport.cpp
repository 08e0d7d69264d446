#include "worker/transport/nccl_transport.h"

#include <c10/cuda/CUDAGuard.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <thread>
#include <utility>

#include "common/errors.h"

namespace trireme {
namespace {

// Enough for NVLink's speed with messages of some MB, and few of the GPU's processors taken from compute. Compute waits
// for a replica's transfers, so those may take more.
constexpr int kExchangeChannels = 4, kReplicaChannels = 16;

c10::cuda::CUDAStream stream_for(NcclTransport::Use use, at::Device device) {
  return use == NcclTransport::Use::replica ? c10::cuda::getCurrentCUDAStream(device.index())
                                            : c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device.index());
}

ncclUniqueId share_id(MpiTransport& control) {
  Bytes bytes(sizeof(ncclUniqueId));
  if (control.rank() == 0) {
    const ncclUniqueId id = NcclCommunicator::make_id();
    std::memcpy(bytes.data(), &id, sizeof id);
  }
  bytes = control.broadcast(std::move(bytes), 0);
  ncclUniqueId id;
  std::memcpy(&id, bytes.data(), sizeof id);
  return id;
}

std::size_t taken(std::size_t free_before, std::size_t free_after) {
  return free_before > free_after ? free_before - free_after : 0;
}

}  // namespace

NcclTransport::NcclTransport(std::unique_ptr<MpiTransport> control, at::Device device, Use use)
    : OverMpi(std::move(control), device), stream_(stream_for(use, device)) {
  const c10::cuda::CUDAGuard guard(device_.index());
  const std::size_t free_before = device::memory(device_).free;
  const bool replica = use == Use::replica;
  communicator_.emplace(replica ? "replica" : "exchange", share_id(*control_), rank(), size(),
                        replica ? kReplicaChannels : kExchangeChannels);
  memory_ = taken(free_before, device::memory(device_).free);
}

NcclTransport::~NcclTransport() {
  if (std::uncaught_exceptions() > 0) {
    communicator_.reset();  // aborts it, before the tensors that it works on go
    return;
  }
  try {
    communicator_->finish();
  } catch (const Error&) {  // the communicator is aborted by now; the results are safe
  }
}

void NcclTransport::enqueue(Group group) {
  Operation operation{std::move(group)};
  operation.ready.record(device_);
  waiting_.push_back(std::move(operation));
  advance();
}

void NcclTransport::launch(const Operation& operation) {
  const c10::cuda::CUDAStreamGuard guard(stream_);
  operation.ready.block_current_stream();
  NcclCommunicator& comm = *communicator_;
  const char* what = operation.is_broadcast ? "broadcast" : "transfer";
  comm.check(ncclGroupStart(), what);
  for (const Half& half : operation.halves) {
    void* data = half.data.mutable_data_ptr();
    const std::size_t bytes = half.data.nbytes();
    if (operation.is_broadcast) {
      comm.check(ncclBroadcast(data, data, bytes, ncclUint8, half.peer, comm.get(), stream_), what);
    } else if (half.direction == Direction::send) {
      comm.check(ncclSend(data, bytes, ncclUint8, half.peer, comm.get(), stream_), what);
    } else {
      comm.check(ncclRecv(data, bytes, ncclUint8, half.peer, comm.get(), stream_), what);
    }
  }
  comm.check(ncclGroupEnd(), what);
}

void NcclTransport::advance() {
  for (;;) {
    if (launching_) {
      if (!communicator_->settled("launching a transfer")) {
        if (std::chrono::steady_clock::now() > launch_deadline_) communicator_->missed_deadline("launching a transfer");
        return;
      }
      const c10::cuda::CUDAStreamGuard guard(stream_);
      launching_->moved.record(device_);
      running_.push_back(std::move(*launching_));
      launching_.reset();
    }
    if (waiting_.empty()) return;
    launching_ = std::move(waiting_.front());
    waiting_.pop_front();
    launch_deadline_ = std::chrono::steady_clock::now() + NcclCommunicator::kPatience;
    launch(*launching_);
  }
}

bool NcclTransport::flushed() {
  advance();
  return !launching_ && waiting_.empty() && control_->flushed();
}

void NcclTransport::progress() {
  control_->progress();
  copies_.progress();
  if (!launching_) communicator_->settled("watching its peers");  // errors that have no call of ours to come back from
  advance();
  while (!running_.empty() && running_.front().moved.done()) running_.pop_front();
}

bool NcclTransport::done(TransferId id) {
  advance();
  while (!running_.empty() && running_.front().moved.done()) running_.pop_front();
  const auto is_id = [id](const Operation& operation) { return operation.id == id; };
  return !copies_.pending(id) && std::none_of(waiting_.begin(), waiting_.end(), is_id) &&
         !(launching_ && is_id(*launching_)) && std::none_of(running_.begin(), running_.end(), is_id);
}

bool NcclTransport::follow(TransferId id) {
  advance();
  const auto is_id = [id](const Operation& operation) { return operation.id == id; };
  if (copies_.pending(id) || (launching_ && is_id(*launching_)) || std::any_of(waiting_.begin(), waiting_.end(), is_id))
    return false;
  const auto found = std::find_if(running_.begin(), running_.end(), is_id);
  if (found != running_.end()) found->moved.block_current_stream();
  return true;
}

void NcclTransport::warm_up(std::size_t bytes, Pattern pattern) {
  const auto length = static_cast<std::int64_t>(std::max<std::size_t>(bytes, 1));
  const at::Tensor out = at::zeros({length}, at::TensorOptions(at::kByte).device(device_));
  const at::Tensor in = at::empty_like(out);  // what arrives is of no interest: every peer may write to it
  const std::size_t free_before = device::memory(device_).free;
  std::vector<Half> group;
  for (const int peer : peers_of(*this, pattern)) {
    group.push_back({peer, Direction::send, out});
    group.push_back({peer, Direction::receive, in});
  }
  const TransferId id = start(std::move(group));
  const auto deadline = std::chrono::steady_clock::now() + NcclCommunicator::kPatience;
  while (!done(id)) {
    if (std::chrono::steady_clock::now() > deadline)
      communicator_->missed_deadline("the first transfer with every peer");
    std::this_thread::sleep_for(mpi::kPause);
  }
  memory_ += taken(free_before, device::memory(device_).free);
}

}  // namespace trireme
