#pragma once
// Where a rank of a replica of several posts its halves of the exchange's transfers. Ranks that share more than one
// transfer post them in one order: those inside of rank 0's replica have a place, a number, among the groups that the
// ranks of the replica post for each other, and elsewhere the half of a transfer is the next group behind its READY.

#include <cstdint>
#include <deque>
#include <vector>

#include "worker/exchange/exchange.h"
#include "worker/transport/transport.h"

namespace trireme {

class TransferPlaces {
 public:
  /// `exchange`: of all ranks; null where there is none.
  TransferPlaces(Transport& replica, Exchange* exchange) : replica_(replica), exchange_(exchange) {}

  /// Nothing of this rank waits for its host, on either transport: before any group is posted.
  bool flushed();
  /// Rank 0: transfers that want a place, each once.
  std::vector<Exchange::Placeless> take_placeless();
  /// In ascending order.
  void give(std::uint64_t seq, std::uint64_t place) { given_.push_back({seq, place}); }
  /// Posts halves up to a place; false while a half must still come before any group of this rank's.
  bool post_up_to(std::uint64_t place);

 private:
  struct Given {
    std::uint64_t seq = 0, place = 0;
  };
  Transport& replica_;
  Exchange* const exchange_;
  std::deque<Given> given_;  // not posted
};

}  // namespace trireme
