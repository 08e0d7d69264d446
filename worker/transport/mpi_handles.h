#pragma once
// MPI's handles as move-only objects, and its return codes as errors. Only transport/ sees this.

#define OMPI_SKIP_MPICXX  // the C interface alone
#include <mpi.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace trireme::mpi {

/// Between two polls while waiting, so that ranks which share a core don't spin.
inline constexpr std::chrono::microseconds kPause(50);

/// Throws Error(unavailable) "<what>, rank <peer>: <MPI's words>"; `peer` -1: no single one.
void check(int code, const char* what, int peer = -1);

/// The ranks of MPI_COMM_WORLD that give the same `group`, in their order; returns errors. Construction is collective
/// over all ranks, destruction over those of the group.
class Communicator {
 public:
  explicit Communicator(int group);
  ~Communicator();
  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&& other) noexcept;
  MPI_Comm get() const { return handle_; }

 private:
  MPI_Comm handle_ = MPI_COMM_NULL;
};

/// One non-blocking operation; the caller keeps its buffer alive. A receive whose size is given refuses a shorter
/// message.
class Request {
 public:
  static constexpr int kAnySize = -1;
  Request() = default;
  Request(const char* what, int peer, int bytes = kAnySize) : what_(what), peer_(peer), bytes_(bytes) {}
  ~Request();
  Request(Request&& other) noexcept;
  Request& operator=(Request&& other) noexcept;

  /// For MPI to fill in.
  MPI_Request* address() { return &handle_; }
  /// Polls; true from then on.
  bool done() const;
  /// Polls with pauses.
  void wait() const;

 private:
  mutable MPI_Request handle_ = MPI_REQUEST_NULL;  // MPI clears it when done
  const char* what_ = "";
  int peer_ = -1;
  int bytes_ = kAnySize;
};

/// MPI counts in int: longer buffers travel in pieces of this many bytes, the same on both sides.
inline constexpr std::size_t kPiece = std::size_t{1} << 30;

// Buffers of any size, appended to `requests` piece by piece.
void isend(const Communicator& to_whom, const void* data, std::size_t bytes, int peer, int tag,
           std::vector<Request>& requests);
void irecv(const Communicator& from_whom, void* data, std::size_t bytes, int peer, int tag,
           std::vector<Request>& requests);
void ibcast(const Communicator& among, void* data, std::size_t bytes, int root, std::vector<Request>& requests);
/// Polls every one.
bool all_done(const std::vector<Request>& requests);
void wait_all(const std::vector<Request>& requests);

}  // namespace trireme::mpi
