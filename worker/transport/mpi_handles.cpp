#include "worker/transport/mpi_handles.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "common/errors.h"

namespace trireme::mpi {
namespace {

/// Calls post(offset, bytes) for every piece.
template <class Post>
void in_pieces(std::size_t bytes, Post post) {
  for (std::size_t at = 0; at < bytes; at += kPiece) post(at, static_cast<int>(std::min(kPiece, bytes - at)));
}

}  // namespace

void check(int code, const char* what, int peer) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw Error(ExitCode::unavailable,
              std::string(what) + (peer < 0 ? "" : ", rank " + std::to_string(peer)) + ": " + text);
}

Communicator::Communicator(int group) {
  check(MPI_Comm_split(MPI_COMM_WORLD, group, /*key=*/0, &handle_), "making a communicator");
  check(MPI_Comm_set_errhandler(handle_, MPI_ERRORS_RETURN), "making a communicator");
}

Communicator::~Communicator() {
  const bool failing = std::uncaught_exceptions() > 0;  // freeing is collective, and the others are not coming
  if (handle_ != MPI_COMM_NULL && !failing) MPI_Comm_free(&handle_);
}

Communicator::Communicator(Communicator&& other) noexcept : handle_(std::exchange(other.handle_, MPI_COMM_NULL)) {}

Communicator& Communicator::operator=(Communicator&& other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}

Request::~Request() {
  if (handle_ == MPI_REQUEST_NULL) return;
  MPI_Cancel(&handle_);
  MPI_Request_free(&handle_);
}

Request::Request(Request&& other) noexcept
    : handle_(std::exchange(other.handle_, MPI_REQUEST_NULL)),
      what_(other.what_),
      peer_(other.peer_),
      bytes_(other.bytes_) {}

Request& Request::operator=(Request&& other) noexcept {
  std::swap(handle_, other.handle_);
  what_ = other.what_;
  peer_ = other.peer_;
  bytes_ = other.bytes_;
  return *this;
}

bool Request::done() const {
  if (handle_ == MPI_REQUEST_NULL) return true;
  int done = 0;
  MPI_Status status;
  check(MPI_Test(&handle_, &done, &status), what_, peer_);
  if (!done) return false;
  if (bytes_ == kAnySize) return true;
  int received = 0;
  check(MPI_Get_count(&status, MPI_BYTE, &received), what_, peer_);
  if (received != bytes_) {
    throw Error(ExitCode::internal, std::string(what_) + ", rank " + std::to_string(peer_) + ": " +
                                        std::to_string(received) + " bytes came, " + std::to_string(bytes_) +
                                        " were expected");
  }
  return true;
}

void Request::wait() const {
  while (!done()) std::this_thread::sleep_for(kPause);
}

void isend(const Communicator& to_whom, const void* data, std::size_t bytes, int peer, int tag,
           std::vector<Request>& requests) {
  in_pieces(bytes, [&](std::size_t at, int count) {
    Request& request = requests.emplace_back("sending", peer);
    check(MPI_Isend(static_cast<const std::byte*>(data) + at, count, MPI_BYTE, peer, tag, to_whom.get(),
                    request.address()),
          "sending", peer);
  });
}

void irecv(const Communicator& from_whom, void* data, std::size_t bytes, int peer, int tag,
           std::vector<Request>& requests) {
  in_pieces(bytes, [&](std::size_t at, int count) {
    Request& request = requests.emplace_back("receiving", peer, count);
    check(MPI_Irecv(static_cast<std::byte*>(data) + at, count, MPI_BYTE, peer, tag, from_whom.get(), request.address()),
          "receiving", peer);
  });
}

void ibcast(const Communicator& among, void* data, std::size_t bytes, int root, std::vector<Request>& requests) {
  in_pieces(bytes, [&](std::size_t at, int count) {
    Request& request = requests.emplace_back("broadcast", root);
    check(MPI_Ibcast(static_cast<std::byte*>(data) + at, count, MPI_BYTE, root, among.get(), request.address()),
          "broadcast", root);
  });
}

bool all_done(const std::vector<Request>& requests) {
  return std::count_if(requests.begin(), requests.end(), [](const Request& request) { return !request.done(); }) == 0;
}

void wait_all(const std::vector<Request>& requests) {
  while (!all_done(requests)) std::this_thread::sleep_for(kPause);
}

}  // namespace trireme::mpi
