#include "worker/transport/mpi_transport.h"

#include <algorithm>
#include <chrono>
#include <climits>
#include <exception>
#include <thread>
#include <utility>

#include "common/errors.h"

namespace trireme {
namespace {

constexpr int kMessageTag = 1, kHalfTag = 2, kGatherTag = 3;
constexpr std::chrono::seconds kLastWords(10);

// Below the eager limits of Open MPI's ways (shared memory 4 KiB, TCP 64 KiB, others 8 KiB and more): a longer message
// stays with its sender until the receiver's host asks for it.
constexpr std::size_t kPieceBytes = 2048;
constexpr std::byte kLastPiece{0}, kMoreFollow{1};  // behind the bytes of a piece

}  // namespace

MpiTransport::MpiTransport(int group) : control_(group), bytes_(group) {
  mpi::check(MPI_Comm_rank(control_.get(), &rank_), "asking for the rank");
  mpi::check(MPI_Comm_size(control_.get(), &size_), "asking for the size");
}

MpiTransport::~MpiTransport() {
  if (std::uncaught_exceptions() > 0) return;
  // Last words leave the host before the communicator goes; a peer that no longer listens is not waited for.
  const auto deadline = std::chrono::steady_clock::now() + kLastWords;
  while (!flushed() && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(mpi::kPause);
}

void MpiTransport::send(int to, Bytes body) {
  check_rank(*this, to);
  if (body.size() > INT_MAX) throw Error(ExitCode::internal, "a control message of more than 2 GiB");
  ++traffic_.control_messages;
  traffic_.control_bytes += body.size();
  const std::span<const std::byte> whole(body);
  std::size_t at = 0;
  for (; to != rank_ && whole.size() - at > kPieceBytes; at += kPieceBytes) {
    Bytes piece(whole.begin() + static_cast<std::ptrdiff_t>(at),
                whole.begin() + static_cast<std::ptrdiff_t>(at + kPieceBytes));
    piece.push_back(kMoreFollow);
    send_piece(to, std::move(piece));
  }
  body.erase(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(at));
  body.push_back(kLastPiece);
  send_piece(to, std::move(body));
}

void MpiTransport::send_piece(int to, Bytes body) {
  if (to == rank_) {
    incoming_.push_back({{rank_, std::move(body)}, {}});
    return;
  }
  Outgoing& out = outgoing_.emplace_back(Outgoing{std::move(body), {"sending a message", to}});
  mpi::check(MPI_Isend(out.body.data(), static_cast<int>(out.body.size()), MPI_BYTE, to, kMessageTag, control_.get(),
                       out.request.address()),
             "sending a message", to);
}

void MpiTransport::match_incoming() {
  for (;;) {
    int found = 0;
    MPI_Message matched;
    MPI_Status status;
    mpi::check(MPI_Improbe(MPI_ANY_SOURCE, kMessageTag, control_.get(), &found, &matched, &status),
               "looking for messages");
    if (!found) return;
    int bytes = 0;
    mpi::check(MPI_Get_count(&status, MPI_BYTE, &bytes), "receiving a message", status.MPI_SOURCE);
    Incoming& in = incoming_.emplace_back(Incoming{{status.MPI_SOURCE, Bytes(static_cast<std::size_t>(bytes))},
                                                   {"receiving a message", status.MPI_SOURCE}});
    mpi::check(MPI_Imrecv(in.message.body.data(), bytes, MPI_BYTE, &matched, in.request.address()),
               "receiving a message", status.MPI_SOURCE);
  }
}

std::optional<Message> MpiTransport::receive() {
  match_incoming();
  std::vector<int> still_arriving;  // later messages of these senders must wait
  for (auto in = incoming_.begin(); in != incoming_.end();) {
    const int from = in->message.from;
    if (std::find(still_arriving.begin(), still_arriving.end(), from) != still_arriving.end()) {
      ++in;
      continue;
    }
    if (!in->request.done()) {
      still_arriving.push_back(from);
      ++in;
      continue;
    }
    Bytes piece = std::move(in->message.body);
    in = incoming_.erase(in);
    const bool last = piece.back() == kLastPiece;
    piece.pop_back();
    Bytes& begun = begun_[from];
    if (begun.empty()) {
      begun = std::move(piece);
    } else {
      begun.insert(begun.end(), piece.begin(), piece.end());
    }
    if (last) return Message{from, std::exchange(begun, {})};
  }
  return std::nullopt;
}

bool MpiTransport::flushed() {
  std::erase_if(outgoing_, [](const Outgoing& out) { return out.request.done(); });
  return outgoing_.empty();
}

TransferId MpiTransport::start(std::vector<Half> group) {
  check_group(*this, group);
  const TransferId id = ++last_id_;
  Transfer transfer;
  for (Half& half : group) {
    const std::size_t bytes = half.data.nbytes();
    if (half.direction == Direction::send) {
      ++traffic_.carrier_transfers;
      traffic_.carrier_bytes += bytes;
    }
    if (half.peer == rank_) {
      copies_.post(id, std::move(half));
      continue;
    }
    if (half.direction == Direction::send) {
      mpi::isend(bytes_, half.data.const_data_ptr(), bytes, half.peer, kHalfTag, transfer.requests);
    } else {
      mpi::irecv(bytes_, half.data.mutable_data_ptr(), bytes, half.peer, kHalfTag, transfer.requests);
    }
    transfer.data.push_back(std::move(half.data));
  }
  if (!transfer.requests.empty()) transfers_.emplace(id, std::move(transfer));
  return id;
}

bool MpiTransport::done(TransferId id) {
  const auto found = transfers_.find(id);
  if (found != transfers_.end()) {
    if (!mpi::all_done(found->second.requests)) return false;
    transfers_.erase(found);
  }
  return !copies_.pending(id);
}

void MpiTransport::progress() {
  copies_.progress();
  flushed();
  match_incoming();
  std::erase_if(transfers_, [](const auto& entry) { return mpi::all_done(entry.second.requests); });
}

void MpiTransport::barrier() {
  mpi::Request request("barrier", -1);
  mpi::check(MPI_Ibarrier(control_.get(), request.address()), "barrier");
  request.wait();
}

std::uint64_t MpiTransport::scatter(std::span<const std::uint64_t> values, int root) {
  check_rank(*this, root);
  if (rank_ == root) check_scatter(*this, values);
  std::uint64_t mine = 0;
  mpi::Request request("scatter", root);
  mpi::check(
      MPI_Iscatter(values.data(), 1, MPI_UINT64_T, &mine, 1, MPI_UINT64_T, root, control_.get(), request.address()),
      "scatter", root);
  request.wait();
  return mine;
}

std::vector<Bytes> MpiTransport::gather(const Bytes& mine, int root) {
  check_rank(*this, root);
  const bool is_root = rank_ == root;
  const std::uint64_t my_size = mine.size();
  std::vector<std::uint64_t> sizes(is_root ? size_ : 0);
  mpi::Request request("gather", root);
  mpi::check(
      MPI_Igather(&my_size, 1, MPI_UINT64_T, sizes.data(), 1, MPI_UINT64_T, root, control_.get(), request.address()),
      "gather", root);
  request.wait();

  std::vector<Bytes> all(sizes.size());
  std::vector<mpi::Request> requests;
  if (!is_root) mpi::isend(bytes_, mine.data(), mine.size(), root, kGatherTag, requests);
  for (int from = 0; from < static_cast<int>(all.size()); ++from) {
    if (from == root) {
      all[from] = mine;
    } else {
      all[from].resize(sizes[from]);
      mpi::irecv(bytes_, all[from].data(), all[from].size(), from, kGatherTag, requests);
    }
  }
  mpi::wait_all(requests);
  return all;
}

Bytes MpiTransport::broadcast(Bytes bytes, int root) {
  check_rank(*this, root);
  std::uint64_t size = bytes.size();
  std::vector<mpi::Request> requests;
  mpi::ibcast(control_, &size, sizeof size, root, requests);
  mpi::wait_all(requests);
  bytes.resize(size);
  mpi::ibcast(control_, bytes.data(), bytes.size(), root, requests);
  mpi::wait_all(requests);
  return bytes;
}

TransferId MpiTransport::broadcast(at::Tensor data, int root) {
  check_rank(*this, root);
  check_buffer(*this, data);
  if (rank_ == root) {
    ++traffic_.carrier_transfers;
    traffic_.carrier_bytes += data.nbytes();
  }
  const TransferId id = ++last_id_;
  Transfer transfer;
  mpi::ibcast(bytes_, data.mutable_data_ptr(), data.nbytes(), root, transfer.requests);
  transfer.data.push_back(std::move(data));
  transfers_.emplace(id, std::move(transfer));
  return id;
}

void MpiTransport::warm_up(std::size_t, Pattern) { barrier(); }

}  // namespace trireme
