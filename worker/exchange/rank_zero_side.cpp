#include "worker/exchange/rank_zero_side.h"

#include <algorithm>
#include <utility>

#include "worker/exchange/codec.h"
#include "worker/queue.h"
#include "worker/transport/flushed.h"

namespace trireme {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(ExitCode::internal, what); }
std::string unit_name(std::uint64_t unit) { return "unit " + std::to_string(unit); }

/// What is kept of a unit that has left: the bytes of its pictures are the replica's now.
Unit without_pictures(Unit unit) {
  for (Item& item : unit.items) {
    for (ImageFile& image : item.images) std::string().swap(image.data);
  }
  return unit;
}

}  // namespace

RankZeroSide::RankZeroSide(Transport& transport, const Layout& layout, std::size_t pool_bytes,
                           std::function<double()> clock, Transport* replica)
    : transport_(transport),
      replica_(replica),
      layout_(layout),
      clock_(std::move(clock)),
      pool_(pool_bytes, transport.device()),
      replicas_(static_cast<std::size_t>(layout.replicas())),
      peers_(static_cast<std::size_t>(transport.size())) {}

RankZeroSide::Replica& RankZeroSide::replica(int index) {
  if (index < 0 || index >= layout_.replicas()) {
    refuse("no replica " + std::to_string(index) + " among " + std::to_string(layout_.replicas()));
  }
  return replicas_[static_cast<std::size_t>(index)];
}

RankZeroSide::Held& RankZeroSide::held_by(int rank, std::uint64_t unit) {
  auto& held = replica_of(rank).held;
  const auto found = held.find(unit);
  if (found == held.end()) refuse(unit_name(unit) + " is not in this rank's hands");
  if (found->second.state == Held::State::coming) refuse(unit_name(unit) + " has not been sent yet");
  if (found->second.state == Held::State::offered) refuse(unit_name(unit) + " was offered before");
  return found->second;
}

void RankZeroSide::handle(int from, const message::Offer& offer) {
  held_by(from, offer.unit).state = Held::State::offered;
  if (offer.bytes == 0) refuse("no bytes");
  replica_of(from).offers.push_back({from, offer});
}

void RankZeroSide::handle(int from, const message::Ready& ready) {
  const auto found = granted_.find(ready.seq);
  if (found == granted_.end() || found->second.rank != from) {
    refuse("no grant " + std::to_string(ready.seq) + " waits for this rank");
  }
  if (placed_ && from != 0 && layout_.replica_of(from) == 0) {  // the engine finds a place for it
    without_place_.push_back({from, ready.seq});
    return;
  }
  ready_.push_back(std::move(found->second));
  granted_.erase(found);
}

void RankZeroSide::handle(int from, const message::Returned& returned) {
  const int index = layout_.replica_of(from);
  Replica& sender = replica(index);
  if (!sender.recalled || from != layout_.first_rank(index)) refuse("nobody asked");
  Exchange::Returned answer{index, std::exchange(sender.recalled_refills, {})};
  for (const std::uint64_t unit : returned.units) {
    answer.units.push_back(std::move(held_by(from, unit).unit));
    sender.held.erase(unit);
  }
  sender.recalled = false;
  returned_.push_back(std::move(answer));
}

void RankZeroSide::handle(int from, const message::FinishAck&) {
  if (!finishing_ || peer(from).acknowledged) refuse("nobody asked");
  peer(from).acknowledged = true;
}

void RankZeroSide::sent(int index, const std::vector<Unit>& units) {
  for (const Unit& unit : units) {
    if (!replica(index).held.emplace(unit.index, Held{without_pictures(unit), Held::State::there}).second) {
      refuse(unit_name(unit.index) + " is sent twice to replica " + std::to_string(index));
    }
  }
}

void RankZeroSide::refill(int index, Unit unit) {
  if (finishing_) refuse("a refill after the end");
  replica(index).refills.push_back(std::move(unit));
}

void RankZeroSide::grant(Granted granted) {
  granted.grant.seq = ++last_seq_;
  granted.since = clock_();
  peer(granted.rank).transferring = true;
  transport_.send(granted.rank, message::encode(granted.grant));
  granted_.emplace(last_seq_, std::move(granted));
}

bool RankZeroSide::grant_refills() {
  bool any = false;
  for (int index = 0; index < layout_.replicas(); ++index) {
    const int rank = layout_.first_rank(index);
    Replica& to = replica(index);
    if (peer(rank).transferring || to.refills.empty()) continue;
    Unit unit = std::move(to.refills.front());
    to.refills.pop_front();
    Granted granted{.rank = rank};
    granted.bytes = codec::upload(codec::encode_units({&unit, 1}), transport_.device(), granted.staged);
    granted.grant = {0, Direction::receive, unit.index, granted.bytes.nbytes()};
    const std::uint64_t number = unit.index;
    if (!to.held.emplace(number, Held{without_pictures(std::move(unit))}).second) {
      refuse(unit_name(number) + " is sent twice to replica " + std::to_string(index));
    }
    grant(std::move(granted));
    any = true;
  }
  return any;
}

/// Round-robin over the replicas. An offer that the pool can't take yet keeps its turn, so that a large one is not
/// passed by smaller ones for ever.
bool RankZeroSide::grant_results() {
  bool any = false;
  const std::size_t first = next_offer_;
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    const std::size_t index = (first + i) % replicas_.size();
    Replica& from = replicas_[index];
    if (from.offers.empty() || peer(from.offers.front().rank).transferring) continue;
    const auto [rank, offer] = from.offers.front();
    auto buffer = pool_.take(offer.bytes);
    if (!buffer) {
      next_offer_ = index;
      break;
    }
    from.offers.pop_front();
    Granted granted{.rank = rank};
    granted.grant = {0, Direction::send, offer.unit, offer.bytes};
    granted.buffer = std::move(*buffer);
    grant(std::move(granted));
    next_offer_ = (index + 1) % replicas_.size();
    any = true;
  }
  return any;
}

/// Our halves of all that became ready by this pass, in one group. In a replica of several ranks the others may need
/// our messages before their halves of ours can come; a copy to ourselves waits for nobody.
bool RankZeroSide::post() {
  const bool all = replica_ == nullptr || all_flushed(transport_, replica_);
  const auto waits = [&](const Granted& granted) { return !all && granted.rank != transport_.rank(); };
  const auto first = std::stable_partition(ready_.begin(), ready_.end(), waits);
  std::vector<Granted> posted(std::make_move_iterator(first), std::make_move_iterator(ready_.end()));
  ready_.erase(first, ready_.end());
  if (posted.empty()) return false;
  start(std::move(posted));
  return true;
}

void RankZeroSide::post_transfer(std::uint64_t seq) {
  const auto found = granted_.find(seq);
  if (found == granted_.end()) refuse("no grant " + std::to_string(seq) + " waits for its place");
  std::vector<Granted> posted;
  posted.push_back(std::move(found->second));
  granted_.erase(found);
  start(std::move(posted));
}

void RankZeroSide::start(std::vector<Granted> posted) {
  std::vector<Half> halves;
  for (Granted& granted : posted) {
    const bool refill = granted.grant.direction == Direction::receive;
    if (refill) {
      replica_of(granted.rank).held.at(granted.grant.unit).state = Held::State::there;
    } else {
      granted.bytes = transport_.device().is_cpu()
                          ? granted.buffer
                          : at::empty(granted.buffer.sizes(), granted.buffer.options().device(transport_.device()));
    }
    halves.push_back({granted.rank, refill ? Direction::send : Direction::receive, granted.bytes});
  }
  const TransferId id = transport_.start(std::move(halves));
  moving_.push_back({id, std::move(posted)});
}

bool RankZeroSide::collect() {
  if (moving_.empty() || !transport_.done(moving_.front().id)) return false;
  for (Granted& granted : moving_.front().transfers) {
    peer(granted.rank).transferring = false;
    if (granted.grant.direction == Direction::receive) continue;
    if (!granted.bytes.is_cpu()) {
      granted.buffer.copy_(granted.bytes, /*non_blocking=*/true);
      granted.copied.record(granted.bytes.device());
    }
    landing_.push_back(std::move(granted));
  }
  moving_.pop_front();
  return true;
}

bool RankZeroSide::land() {
  if (landing_.empty() || !landing_.front().copied.done()) return false;
  const Granted& landed = landing_.front();
  codec::Unpacked unpacked = codec::unpack(landed.buffer);
  if (unpacked.unit != landed.grant.unit) {
    refuse("rank " + std::to_string(landed.rank) + " sent results of " + unit_name(unpacked.unit) + " as " +
           unit_name(landed.grant.unit));
  }
  const int from = layout_.replica_of(landed.rank);
  replica(from).held.erase(unpacked.unit);
  deliveries_.push_back({from, unpacked.unit, unpacked.seconds, clock_() - landed.since, std::move(unpacked.results)});
  landing_.pop_front();
  return true;
}

bool RankZeroSide::progress() {
  bool moved = post();
  while (collect()) moved = true;
  while (land()) moved = true;
  moved |= grant_refills();
  moved |= grant_results();
  return moved;
}

std::optional<Delivery> RankZeroSide::take_delivery() { return take_first(deliveries_); }

void RankZeroSide::recall(int index) {
  if (finishing_) refuse("a recall after the end");
  Replica& asked = replica(index);
  for (Unit& unit : asked.refills) asked.recalled_refills.push_back(std::move(unit));
  asked.refills.clear();
  if (std::exchange(asked.recalled, true)) return;
  transport_.send(layout_.first_rank(index), message::encode(message::Recall{}));
}

std::optional<Exchange::Returned> RankZeroSide::take_returned() { return take_first(returned_); }

void RankZeroSide::finish(ExitCode code) {
  if (finishing_) refuse("the end is announced twice");
  for (std::size_t index = 0; index < replicas_.size(); ++index) {
    const Replica& of = replicas_[index];
    const std::size_t units = of.held.size() + of.refills.size() + of.recalled_refills.size();
    if (units == 0) continue;  // an answer to a recall may still come, before the acknowledgement
    refuse("the end is announced while replica " + std::to_string(index) + " has " + std::to_string(units) + " units");
  }
  if (!deliveries_.empty() || !returned_.empty()) refuse("the end is announced before all results are taken");
  finishing_ = true;
  for (int rank = 0; rank < transport_.size(); ++rank) {
    transport_.send(rank, message::encode(message::Finish{code}));
  }
}

bool RankZeroSide::all_acknowledged() const {
  return std::all_of(peers_.begin(), peers_.end(), [](const Peer& of) { return of.acknowledged; });
}

bool RankZeroSide::outstanding() const {
  return !granted_.empty() || !ready_.empty() || !moving_.empty() || !landing_.empty() || !deliveries_.empty() ||
         !returned_.empty() || std::any_of(replicas_.begin(), replicas_.end(), [](const Replica& of) {
           return !of.refills.empty() || !of.offers.empty();
         });
}

}  // namespace trireme
