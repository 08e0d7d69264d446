#pragma once
// One NCCL communicator, never blocking: calls return at once and `settled` polls. After every group it must be polled
// until it says true, only then may an event be recorded or anything further be issued. NCCL_* variables set by the
// user win. Construction and `finish` are collective. Failures and missed deadlines abort the communicator and throw
// Error(unavailable) with NCCL's words.

#include <nccl.h>

#include <chrono>
#include <string>

namespace trireme {

class NcclCommunicator {
 public:
  using Deadline = std::chrono::steady_clock::time_point;
  /// Made by rank 0, the same on every rank.
  static ncclUniqueId make_id();

  /// Connects `size` ranks; the current CUDA device is this rank's. `max_channels`: few, they run beside compute.
  NcclCommunicator(const char* name, const ncclUniqueId& id, int rank, int size, int max_channels);
  /// Aborts unless `finish` was called: after an error the peers may be gone.
  ~NcclCommunicator();
  NcclCommunicator(const NcclCommunicator&) = delete;

  ncclComm_t get() const { return handle_; }
  /// False while NCCL works on the last call. Throws on errors of this rank, and of peers as far as NCCL sees them.
  bool settled(const char* what);
  /// Polls with pauses until settled; beyond the deadline throws, saying what did not come about.
  void settle(const char* what);
  /// For return codes: in progress counts as success.
  void check(ncclResult_t result, const char* what);
  /// Ends it in order; nothing may be outstanding.
  void finish();
  /// Throws with what should have happened and what to look at.
  [[noreturn]] void missed_deadline(const char* what);

  /// How long set-up, launches and the end may take.
  static constexpr std::chrono::seconds kPatience{120};

 private:
  void abort();
  [[noreturn]] void fail(ncclResult_t result, const char* what);

  std::string name_;
  int rank_, size_;
  ncclComm_t handle_ = nullptr;
};

}  // namespace trireme
