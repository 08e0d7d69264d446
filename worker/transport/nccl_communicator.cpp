#include "worker/transport/nccl_communicator.h"

#include <thread>
#include <utility>

#include "common/errors.h"
#include "worker/transport/mpi_handles.h"

namespace trireme {

ncclUniqueId NcclCommunicator::make_id() {
  ncclUniqueId id;
  const ncclResult_t result = ncclGetUniqueId(&id);
  if (result != ncclSuccess) {
    throw Error(ExitCode::unavailable, std::string("nccl: making an id: ") + ncclGetErrorString(result) +
                                           "; NCCL_DEBUG=WARN tells more, NCCL_SOCKET_IFNAME picks the network");
  }
  return id;
}

NcclCommunicator::NcclCommunicator(const char* name, const ncclUniqueId& id, int rank, int size, int max_channels)
    : name_(name), rank_(rank), size_(size) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  config.minCTAs = 1;
  config.maxCTAs = max_channels;
  config.commName = name_.c_str();
  check(ncclCommInitRankConfig(&handle_, size, id, rank, &config), "connecting");
  settle("connecting");
}

NcclCommunicator::~NcclCommunicator() { abort(); }

void NcclCommunicator::abort() {
  if (handle_) ncclCommAbort(std::exchange(handle_, nullptr));
}

void NcclCommunicator::fail(ncclResult_t result, const char* what) {
  const std::string detail = handle_ ? ncclGetLastError(handle_) : "";
  abort();
  throw Error(ExitCode::unavailable, "nccl " + name_ + ": " + what + " on rank " + std::to_string(rank_) + " of " +
                                         std::to_string(size_) + ": " + ncclGetErrorString(result) +
                                         (detail.empty() ? "" : ": " + detail) + "; NCCL_DEBUG=WARN tells more");
}

void NcclCommunicator::missed_deadline(const char* what) {
  abort();
  throw Error(ExitCode::unavailable,
              "nccl " + name_ + ": " + what + " on rank " + std::to_string(rank_) + " of " + std::to_string(size_) +
                  " not done after " + std::to_string(kPatience.count()) +
                  " s: a rank is missing or stuck, or hosts can't reach each other over the network"
                  " NCCL chose; NCCL_SOCKET_IFNAME picks another, NCCL_DEBUG=INFO shows it");
}

void NcclCommunicator::check(ncclResult_t result, const char* what) {
  if (result != ncclSuccess && result != ncclInProgress) fail(result, what);
}

bool NcclCommunicator::settled(const char* what) {
  ncclResult_t state = ncclSuccess;
  check(ncclCommGetAsyncError(handle_, &state), what);
  check(state, what);
  return state == ncclSuccess;
}

void NcclCommunicator::settle(const char* what) {
  const Deadline deadline = std::chrono::steady_clock::now() + kPatience;
  while (!settled(what)) {
    if (std::chrono::steady_clock::now() > deadline) missed_deadline(what);
    std::this_thread::sleep_for(mpi::kPause);
  }
}

void NcclCommunicator::finish() {
  check(ncclCommFinalize(handle_), "ending");
  settle("ending");
  ncclCommDestroy(std::exchange(handle_, nullptr));
}

}  // namespace trireme
