#pragma once
// Rank 0's part as the one that starts transfers: refills that wait, offers that wait, grants, and results on their way
// to host memory. Owned by Exchange on rank 0, which hands it the messages of the workers (rank 0's own among them).
// Throws Error(internal) when a message breaks the protocol.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "worker/device.h"
#include "worker/exchange/buffer_pool.h"
#include "worker/exchange/exchange.h"
#include "worker/exchange/messages.h"

namespace trireme {

class RankZeroSide {
 public:
  RankZeroSide(Transport& transport, const Layout& layout, std::size_t pool_bytes, std::function<double()> clock,
               Transport* replica);

  void handle(int from, const message::Offer& offer);
  void handle(int from, const message::Ready& ready);
  void handle(int from, const message::Returned& returned);
  void handle(int from, const message::FinishAck&);
  void handle(int, const message::Drain&) { drain_asked_ = true; }
  /// True if anything happened. Runs on the exchange's stream.
  bool progress();
  /// Units that went out with the first scatter.
  void sent(int replica, const std::vector<Unit>& units);

  /// From here on, those of transfers with other ranks of rank 0's replica.
  void leave_places_to_engine() { placed_ = true; }
  std::vector<Exchange::Placeless> transfers_without_place() { return std::exchange(without_place_, {}); }
  void post_transfer(std::uint64_t seq);

  void refill(int replica, Unit unit);
  std::optional<Delivery> take_delivery();
  void recall(int replica);
  std::optional<Exchange::Returned> take_returned();
  bool drain_asked() const { return drain_asked_; }
  void finish(ExitCode code);
  bool finishing() const { return finishing_; }
  bool all_acknowledged() const;
  bool outstanding() const;

 private:
  struct Held {
    enum class State { coming, there, offered };  // from GRANT, from our half of the transfer, from OFFER
    Unit unit;
    State state = State::coming;
  };
  struct Offered {
    int rank = 0;
    message::Offer offer;
  };
  struct Replica {
    std::deque<Unit> refills;            // no grant yet
    std::map<std::uint64_t, Held> held;  // sent and not delivered or returned
    std::deque<Offered> offers;          // no grant yet
    bool recalled = false;
    std::vector<Unit> recalled_refills;  // join the answer
  };
  struct Peer {  // a rank
    bool transferring = false;
    bool acknowledged = false;
  };
  struct Granted {
    int rank = 0;
    message::Grant grant{};
    double since = 0;
    at::Tensor bytes, staged;  // on the transport's device; what a refill is copied from
    at::Tensor buffer;         // of the pool, for results
    device::Event copied;      // results in `buffer`
  };
  struct Group {
    TransferId id;
    std::vector<Granted> transfers;
  };
  Replica& replica(int index);
  Replica& replica_of(int rank) { return replica(layout_.replica_of(rank)); }
  Peer& peer(int rank) { return peers_[static_cast<std::size_t>(rank)]; }
  Held& held_by(int rank, std::uint64_t unit);
  void grant(Granted granted);
  bool grant_refills();
  bool grant_results();
  bool post();
  void start(std::vector<Granted> granted);
  bool collect();
  bool land();

  Transport& transport_;
  Transport* const replica_;
  const Layout layout_;
  std::function<double()> clock_;
  BufferPool pool_;
  std::vector<Replica> replicas_;
  std::vector<Peer> peers_;
  std::map<std::uint64_t, Granted> granted_;        // by seq, READY not heard
  std::vector<Granted> ready_;                      // of this pass
  std::vector<Exchange::Placeless> without_place_;  // READY heard; in `granted_` until posted
  std::deque<Group> moving_;
  std::deque<Granted> landing_;
  std::deque<Delivery> deliveries_;
  std::deque<Exchange::Returned> returned_;
  std::uint64_t last_seq_ = 0;
  std::size_t next_offer_ = 0;  // the replica whose offer comes first
  bool placed_ = false, drain_asked_ = false, finishing_ = false;
};

}  // namespace trireme
