#include "worker/transport/local_copies.h"

#include <algorithm>
#include <utility>

#include "common/errors.h"

namespace trireme {

void LocalCopies::post(TransferId id, Half half) {
  Posted posted{id, std::move(half.data), {}};
  posted.ready.record(device_);
  (half.direction == Direction::send ? sends_ : receives_).push_back(std::move(posted));
  match();
}

void LocalCopies::match() {
  while (!sends_.empty() && !receives_.empty()) {
    Copy copy{std::move(sends_.front()), std::move(receives_.front()), {}};
    sends_.pop_front();
    receives_.pop_front();
    if (copy.from.data.numel() != copy.to.data.numel()) {
      throw Error(ExitCode::internal, "transfer to oneself: " + std::to_string(copy.from.data.numel()) +
                                          " bytes sent, room for " + std::to_string(copy.to.data.numel()));
    }
    copy.from.ready.block_current_stream();
    copy.to.ready.block_current_stream();
    copy.to.data.copy_(copy.from.data, /*non_blocking=*/true);
    copy.copied.record(device_);
    copies_.push_back(std::move(copy));
  }
}

void LocalCopies::progress() {
  std::erase_if(copies_, [](const Copy& copy) { return copy.copied.done(); });
}

bool LocalCopies::pending(TransferId id) const {
  const auto is_id = [id](const Posted& posted) { return posted.id == id; };
  return std::any_of(sends_.begin(), sends_.end(), is_id) || std::any_of(receives_.begin(), receives_.end(), is_id) ||
         std::any_of(copies_.begin(), copies_.end(),
                     [&](const Copy& copy) { return (is_id(copy.from) || is_id(copy.to)) && !copy.copied.done(); });
}

}  // namespace trireme
