#include "worker/exchange/worker_side.h"

#include <algorithm>
#include <utility>

#include "worker/queue.h"
#include "worker/transport/flushed.h"

namespace trireme {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(ExitCode::internal, what); }
std::string unit_name(std::uint64_t unit) { return "unit " + std::to_string(unit); }

}  // namespace

void WorkerSide::handle(const message::Grant& grant) {
  // Rank 0 may be told of a transfer's end before we are: then the next grant waits behind it.
  if (grants_.size() + (current_ ? 1 : 0) >= 2) refuse("a third transfer before the first is done");
  if (grant.direction == Direction::send) {
    const auto found = offered_.find(grant.unit);
    if (found == offered_.end()) refuse(unit_name(grant.unit) + " was not offered");
    if (found->second.bytes.nbytes() != grant.bytes) {
      refuse(std::to_string(grant.bytes) + " bytes of " + unit_name(grant.unit) + ", offered were " +
             std::to_string(found->second.bytes.nbytes()));
    }
  } else if (in_hand_.contains(grant.unit)) {
    refuse(unit_name(grant.unit) + " is in hand already");
  }
  grants_.push_back(grant);
}

void WorkerSide::handle(const message::Recall&) {
  if (recall_ != Recall::none) refuse("the recall before has no answer yet");
  recall_ = Recall::asked;
}

void WorkerSide::handle(const message::Finish& finish) {
  if (finish_) refuse("said twice");
  if (whole_ && !in_hand_.empty()) refuse(unit_name(*in_hand_.begin()) + " is still in hand");
  if (!offered_.empty()) refuse(unit_name(offered_.begin()->first) + " was offered and not granted");
  finish_ = finish.code;
}

void WorkerSide::arrive(std::vector<Unit> units) {
  for (Unit& unit : units) {
    if (!in_hand_.insert(unit.index).second) refuse(unit_name(unit.index) + " arrived twice");
    arrived_.push_back(std::move(unit));
  }
}

void WorkerSide::begin(const message::Grant& grant) {
  current_.emplace();
  current_->grant = grant;
  if (grant.direction == Direction::send) {
    current_->packet = std::move(offered_.extract(grant.unit).mapped());
  } else {
    current_->packet.bytes =
        at::empty({static_cast<std::int64_t>(grant.bytes)}, at::TensorOptions(at::kByte).device(transport_.device()));
  }
}

/// One step of the current transfer.
bool WorkerSide::advance() {
  if (!current_) {
    if (grants_.empty()) return false;
    begin(grants_.front());
    grants_.pop_front();
    return true;
  }
  switch (current_->step) {
    case Current::Step::packing:
      // READY commits: from here on nothing of ours may come before our half, not even what is still to be launched.
      if (!current_->packet.packed.done() || !may_post()) return false;
      transport_.send(0, message::encode(message::Ready{current_->grant.seq}));
      current_->step = Current::Step::leaving;
      return true;
    case Current::Step::leaving:
      if (placed_ || !may_post()) return false;  // the law: READY has left before our half is enqueued
      post();
      return true;
    case Current::Step::moving: break;
  }
  if (!transport_.done(current_->id)) return false;
  if (current_->grant.direction == Direction::receive) {
    Landing landing{current_->grant, current_->packet.bytes, {}, {}};
    landing.host = codec::download(landing.device, landing.copied);
    landing_.push_back(std::move(landing));
  }
  current_.reset();
  return true;
}

/// To ourselves nothing has to leave.
bool WorkerSide::may_post() const { return transport_.rank() == 0 || all_flushed(transport_, replica_); }

void WorkerSide::post() {
  current_->id = transport_.start({{0, current_->grant.direction, current_->packet.bytes}});
  current_->step = Current::Step::moving;
}

void WorkerSide::post_transfer(std::uint64_t seq) {
  if (!current_ || current_->grant.seq != seq || current_->step != Current::Step::leaving) {
    refuse("transfer " + std::to_string(seq) + " has a place and is not ready");
  }
  post();
}

/// A copy to ourselves waits for nobody.
bool WorkerSide::must_post() const {
  return transport_.rank() != 0 && !placed_ && current_ && current_->step == Current::Step::leaving;
}

bool WorkerSide::land() {
  if (landing_.empty() || !landing_.front().copied.done()) return false;
  std::vector<Unit> units = codec::decode_units(codec::view(landing_.front().host));
  const std::uint64_t granted = landing_.front().grant.unit;
  if (units.size() != 1 || units[0].index != granted) refuse("the refill is not " + unit_name(granted));
  arrive(std::move(units));
  landing_.pop_front();
  return true;
}

bool WorkerSide::acknowledge() {
  if (!finish_ || acknowledged_ || outstanding() || recall_ != Recall::none) return false;
  transport_.send(0, message::encode(message::FinishAck{}));
  acknowledged_ = true;
  return true;
}

bool WorkerSide::progress() {
  bool moved = false;
  while (advance()) moved = true;
  while (land()) moved = true;
  return acknowledge() || moved;
}

std::optional<Unit> WorkerSide::next_unit() { return take_first(arrived_); }

void WorkerSide::offer(const Finished& finished) {
  const std::uint64_t unit = finished.unit.index;
  if (whole_ && in_hand_.erase(unit) == 0) refuse(unit_name(unit) + " is offered and not in hand");
  codec::Packet packet = codec::pack(finished, transport_.device());
  transport_.send(0, message::encode(message::Offer{unit, packet.bytes.nbytes()}));
  offered_.emplace(unit, std::move(packet));
}

/// A refill granted before the recall must arrive first, or it would be neither returned nor begun.
bool WorkerSide::refill_coming() const {
  const auto is_refill = [](const message::Grant& grant) { return grant.direction == Direction::receive; };
  return !landing_.empty() || (current_ && is_refill(current_->grant)) ||
         std::any_of(grants_.begin(), grants_.end(), is_refill);
}

bool WorkerSide::recall_wanted() {
  if (recall_ != Recall::asked || refill_coming()) return false;
  recall_ = Recall::answering;
  return true;
}

void WorkerSide::return_units(std::vector<Unit> units) {
  if (recall_ != Recall::answering) refuse("units are returned and nobody asked");
  while (auto unit = next_unit()) units.push_back(std::move(*unit));
  message::Returned returned;
  for (const Unit& unit : units) {
    if (in_hand_.erase(unit.index) == 0) refuse(unit_name(unit.index) + " is returned and not in hand");
    returned.units.push_back(unit.index);
  }
  transport_.send(0, message::encode(returned));
  recall_ = Recall::none;
}

bool WorkerSide::outstanding() const {
  return current_ || !grants_.empty() || !landing_.empty() || !offered_.empty() || !arrived_.empty();
}

}  // namespace trireme
