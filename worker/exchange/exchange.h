#pragma once
// Moves units to replicas and results back, by the transfer law: everything the peer needs in order to enqueue its half
// has left this host before we enqueue ours. Only rank 0 starts transfers, and a worker has at most one outstanding:
//
//   worker: OFFER(unit, bytes)                      rank 0: GRANT(seq, direction, unit, bytes)
//   worker: allocates, READY(seq), flushed, half    rank 0: half after READY; all READYs of a pass form one group
//
// So rank 0 never waits for an absent peer, and waits form a star without cycles. Rank 0's own share passes the same
// states with a copy. In a replica of several ranks units go to the first and results come from any; what happens
// between them is the engine's. A host may stand still in the driver until what it has posted is complete, so that
// ranks which share more than one transfer must post them in one order. In rank 0's replica the engine gives every
// transfer its place among the groups of the replica; elsewhere a half is posted right behind its READY. Every rank
// makes one Exchange; the functions under "rank 0" are for the coordinator. Single thread; nothing waits, except
// `scatter_first` (Collective).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/errors.h"
#include "common/item.h"
#include "common/layout.h"
#include "worker/engine/engine.h"
#include "worker/transport/transport.h"

namespace trireme {

/// Results of one unit on rank 0, in host memory. The tensors keep their buffer of the pool: drop them to free it.
struct Delivery {
  int from = 0;            // replica
  std::uint64_t unit = 0;  // Unit::index
  PhaseSeconds seconds{};
  double transfer_seconds = 0;  // from GRANT to bytes in host memory
  std::vector<Result> results;  // pictures and tensors on the CPU
};

class Exchange {
 public:
  struct Settings {
    std::size_t pool_bytes = 512u << 20;  // rank 0's host buffers for results: the back-pressure when writers are slow.
                                          // At least one result always fits, however large.
    std::function<double()> clock;        // seconds, from any start; none: the steady clock
    Layout layout = {};                   // ranks are the transport's, whatever it says
    Transport* replica = nullptr;         // of a replica of several ranks: its messages, too, leave before our halves
    bool places = false;                  // the engine gives transfers inside of rank 0's replica theirs
  };
  Exchange(Transport& transport, Settings settings);
  ~Exchange();

  /// Collective, once, before anything else: rank 0's `shares[r]` go out in one scatter, to the first rank of replica
  /// r: sizes over control, bytes in one group; a rank without bytes posts nothing. `shares` matters on rank 0 only.
  void scatter_first(const std::vector<std::vector<Unit>>& shares);

  /// Messages handled, transfers enqueued and polled. Returns true if anything happened. Throws Error when a peer
  /// breaks the protocol: an unsolicited send is an error that names the peer and the message.
  bool progress();

  // Every rank, as a worker.
  std::optional<Unit> next_unit();  // units that have arrived, in order
  void offer(Finished finished);    // a finished unit goes to rank 0 when it grants
  /// Rank 0 asks for the units not begun (true once a request): answer with `return_units`, which adds those that were
  /// not yet taken with `next_unit`.
  bool recall_wanted();
  void return_units(std::vector<Unit> units);
  void ask_to_drain();  // this rank got USR1: tells rank 0
  /// A sign of life: a worker's to rank 0, rank 0's to all, so that a stopped rank 0 is noticed too. `tokens`: what
  /// this rank has written so far. `node`: how its node is, when there is news, as common/node_sample.h writes it.
  void send_pulse(std::uint64_t tokens = 0, std::string node = "");
  double seconds_since_heard_from(int rank) const;  // any message counts; rank 0 hears all, a worker only rank 0
  bool outstanding() const;                         // results, grants or transfers not complete: not idle

  // For the engine of a replica of several ranks.
  /// Nothing of this rank waits for its host: `Transport::flushed`.
  bool flushed();
  /// Rank 0: transfers with other ranks of its replica that wait for a place, each once.
  struct Placeless {
    int rank = 0;
    std::uint64_t seq = 0;
  };
  std::vector<Placeless> transfers_without_place();
  /// Posts this rank's half of such a transfer.
  void post_transfer(std::uint64_t seq);
  /// READY is said and the half is not posted: it must be the next.
  bool must_post() const;

  /// After FINISH was received with nothing outstanding and acknowledged (rank 0: after all acknowledged).
  bool finished() const;
  ExitCode exit_code() const;

  // Rank 0, as the coordinator.
  struct Returned {
    int from = 0;             // replica
    std::vector<Unit> units;  // may be empty
  };
  void refill(int replica, Unit unit);  // queued; at most one transfer a worker at a time
  std::optional<Delivery> take_delivery();
  /// Asks for what the replica has not begun. One answer comes for each call, unless one is still due: refills not yet
  /// under way and units not begun; whatever the worker holds afterwards has begun.
  void recall(int replica);
  std::optional<Returned> take_returned();
  bool drain_asked() const;      // some rank asked
  std::uint64_t tokens() const;  // of all ranks, as of their last pulses
  /// The last news of each node, by the rank that sent them.
  const std::map<int, std::string>& nodes() const;
  /// When all credits are home and the writers are durable: Error(internal) while a unit is out or a delivery waits.
  void finish(ExitCode code);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trireme
