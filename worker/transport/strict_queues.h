#pragma once
// Tests only. Transfers as a GPU carrier makes them, at its strictest: every rank has one queue a communicator, groups
// begin and leave in order, and a half completes only when both halves stand at the head of their queues; inside a
// group halves complete in any order. Halves to oneself meet wherever they stand. The n-th send from a rank to a peer
// meets the peer's n-th receive. A posted group counts once it is launched: one after the other in a queue, each takes
// its time, and the rank's host must come by to begin the next.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "worker/transport/transport.h"

namespace trireme::strict {

class Queues {
 public:
  /// `delay` draws how many turns a launch or a completion takes.
  Queues(int ranks, int communicators, std::function<std::uint64_t()> delay);

  TransferId post(int communicator, int rank, std::vector<Half> group);
  /// The host of a rank comes by: what may be launched next begins to be.
  void launch(int rank);
  /// Whether every group posted to this queue is launched.
  bool launched(int communicator, int rank) const;
  bool complete(TransferId id) const { return !groups_.contains(id); }
  /// Launched and not complete.
  bool running(TransferId id) const;
  bool empty() const { return groups_.empty(); }
  /// Whether a half of this rank to itself has not met the other.
  bool waits_for_itself(int rank) const;
  /// Lets halves meet and complete; true if any did. Throws Error(internal) when the sizes of two halves differ.
  bool advance(std::uint64_t now);
  /// Queues whose heads wait for each other, by name: none of them can ever move again.
  std::optional<std::string> cycle();
  /// Every queue with its groups and halves, a line each.
  std::string describe() const;

 private:
  struct Posted {
    Half half;
    std::uint64_t number = 0;  // of its kind between these two ranks
    bool met = false, done = false;
    std::uint64_t done_at = 0;
  };
  struct Group {
    TransferId id;
    std::vector<Posted> halves;
    std::optional<std::uint64_t> launched_at = {};
  };
  struct Queue {
    int communicator, rank;
    std::deque<Group> groups;
  };
  Queue& queue(int communicator, int rank) { return queues_[communicator * ranks_ + rank]; }
  bool launched(const Group& group) const { return group.launched_at && *group.launched_at <= now_; }
  /// Halves with other ranks move in a launched group at the head of its queue.
  bool moves(const Queue& queue, std::size_t place) const { return place == 0 && launched(queue.groups.front()); }
  /// The other half and how many groups stand before its own; null when it was not posted.
  std::pair<Posted*, std::size_t> find_other(const Queue& of, const Posted& mine);
  bool meet(const Queue& of, Posted& mine);
  void finish(const Queue& of, Posted& mine);
  bool settle(Queue& queue);
  static std::string name(const Queue& queue);

  int ranks_;
  std::function<std::uint64_t()> delay_;
  std::vector<Queue> queues_;
  std::map<TransferId, const Queue*> groups_;  // not complete
  std::map<std::tuple<int, int, int, Direction>, std::uint64_t> posted_;
  TransferId last_id_ = 0;
  std::uint64_t now_ = 0;
};

}  // namespace trireme::strict
