#pragma once
// How ranks talk: small control messages (sizes, decisions) and byte transfers between tensors. One thread per rank
// makes every call. Control messages from one rank to another arrive in the order sent; nothing here waits for a peer
// except the functions marked Collective. Failures throw Error(unavailable) naming the peer; a half whose peer never
// comes stays pending (the watchdog ends the job). Implementations: self, mpi, nccl, and strict (tests); list.h picks
// one.

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace trireme {

using Bytes = std::vector<std::byte>;
Bytes to_bytes(std::string_view text);
std::string_view as_text(std::span<const std::byte> bytes);

struct Message {
  int from = 0;
  Bytes body;
};

enum class Direction { send, receive };

/// Who talks to whom: rank 0 with every other rank (exchange), or everybody with everybody (the few ranks of a
/// replica).
enum class Pattern { star, all_pairs };

/// Our side of one transfer. `data`: contiguous uint8 on `Transport::device()`, at least one byte. The transport holds
/// the tensor until the transfer is done. A transfer to oneself is a send half and a receive half matched in order.
struct Half {
  int peer = 0;
  Direction direction = Direction::send;
  at::Tensor data;
};

/// Names a group of halves started together; valid for the transport that gave it.
using TransferId = std::uint64_t;

/// Bytes and operations so far, by what carried them; printed at the end of a job.
struct Traffic {
  std::uint64_t control_messages = 0, control_bytes = 0;   // over MPI
  std::uint64_t carrier_transfers = 0, carrier_bytes = 0;  // halves sent, over `carrier()`
  Traffic& operator+=(const Traffic& other);
};

class Transport {
 public:
  virtual ~Transport() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual const char* carrier() const = 0;  // "self", "mpi", "nccl", "strict"
  virtual at::Device device() const = 0;    // where transfer buffers live
  virtual Traffic traffic() const = 0;
  /// Device memory the carrier took for itself (NCCL's buffers), for the memory plan.
  virtual std::size_t carrier_memory() const { return 0; }

  // Control messages. `send` copies and returns at once; `to` may be this rank. `receive` gives the next one that has
  // arrived from any rank, or nothing.
  virtual void send(int to, Bytes body) = 0;
  virtual std::optional<Message> receive() = 0;
  /// True when every message sent so far has left this host and every group started is launched, so that nothing of
  /// ours still waits for this host: what the transfer law asks for before we start another group.
  virtual bool flushed() = 0;

  // Byte transfers. `start` enqueues a group of halves behind all earlier ones, and behind work already enqueued on the
  // caller's current stream; it does not wait. `done` polls; once true for an id, its buffers may be used on any stream
  // and the id is forgotten by the next call of `start`.
  virtual TransferId start(std::vector<Half> group) = 0;
  virtual bool done(TransferId id) = 0;
  /// Polls; true once work enqueued from here on on the caller's current stream comes behind the transfer, so that it
  /// may use what was received. The host need not have seen the end: NCCL's transfers are launched, no more.
  virtual bool follow(TransferId id) { return done(id); }
  /// Moves messages and transfers on; once per loop pass.
  virtual void progress() = 0;

  // Collective: every rank calls them in the same order; outside the loop only.
  virtual void barrier() = 0;
  /// Root's `values[r]` arrives on rank r (MPI_Scatter). `values` matters on the root only, one a rank.
  virtual std::uint64_t scatter(std::span<const std::uint64_t> values, int root) = 0;
  /// Everybody's bytes on the root in rank order, empty elsewhere.
  virtual std::vector<Bytes> gather(const Bytes& mine, int root) = 0;
  /// Root's bytes to everybody, any length (sizes over control, for settings and decisions).
  virtual Bytes broadcast(Bytes bytes, int root) = 0;
  /// Root's tensor into everybody's `data` (same bytes, contiguous, on `device()`), over the carrier. Enqueued on the
  /// transfer stream behind the caller's current stream; `done` tells when the buffer may be used again.
  virtual TransferId broadcast(at::Tensor data, int root) = 0;
  /// Connects every pair of the pattern in both directions with messages of `bytes`: NCCL sets up its connections here
  /// and not in the middle of a job.
  virtual void warm_up(std::size_t bytes, Pattern pattern) = 0;
};

// What every implementation asks of its caller; Error(internal) otherwise.
void check_rank(const Transport& transport, int rank);
void check_scatter(const Transport& transport, std::span<const std::uint64_t> values);
void check_buffer(const Transport& transport, const at::Tensor& data);
void check_group(const Transport& transport, std::span<const Half> group);

/// Whom this rank meets in a warm-up.
std::vector<int> peers_of(const Transport& transport, Pattern pattern);

}  // namespace trireme
