#include "worker/engine/transfer_places.h"

namespace trireme {

bool TransferPlaces::flushed() { return replica_.flushed() && (exchange_ == nullptr || exchange_->flushed()); }

std::vector<Exchange::Placeless> TransferPlaces::take_placeless() {
  return exchange_ == nullptr ? std::vector<Exchange::Placeless>() : exchange_->transfers_without_place();
}

bool TransferPlaces::post_up_to(std::uint64_t place) {
  while (!given_.empty() && given_.front().place <= place) {
    if (!flushed()) return false;
    exchange_->post_transfer(given_.front().seq);
    given_.pop_front();
  }
  return exchange_ == nullptr || !exchange_->must_post();
}

}  // namespace trireme
