#include "worker/dispatch/coordinator.h"

#include <algorithm>
#include <utility>

#include "common/image_files.h"
#include "common/log.h"

namespace trireme {
namespace {

constexpr std::size_t kMostResultSpans = 100'000;
constexpr std::uint64_t kPictureBytesInHand = std::uint64_t{1} << 30;

/// Of the longest answer, which the unit waits for. Nothing: an item failed, so the unit's time says nothing.
std::optional<double> tokens_of(const std::vector<Result>& results) {
  double most = 0;
  for (const Result& result : results) {
    if (!result.error.empty()) return std::nullopt;
    if (result.text) most = std::max(most, static_cast<double>(result.text->token_ids.size()));
  }
  return most;
}

}  // namespace

Coordinator::Coordinator(Parts parts, Work work, std::function<double()> clock)
    : parts_(parts),
      clock_(std::move(clock)),
      units_(std::move(work.units)),
      suspects_(work.suspects.begin(), work.suspects.end()),
      totals_(static_cast<std::size_t>(parts.dispatcher.replicas())),
      records_(std::move(work.finished)) {
  for (std::size_t i = 0; i < units_.size(); ++i) place_.emplace(units_[i].index, i);
  for (const auto& [id, record] : records_) count(record);
  if (!suspects_.empty()) {
    log::info("units that were in hand at a crash run alone first", {{"units", suspects_.size()}});
    parts_.dispatcher.plan({suspects_.begin(), suspects_.end()});
  } else {
    plan_next_stage();
  }
}

// After the suspects: everything else.
void Coordinator::plan_next_stage() {
  stage_ = Stage::all;
  std::deque<std::size_t> rest;
  for (std::size_t i = 0; i < units_.size(); ++i) {
    if (!suspects_.contains(i)) rest.push_back(i);
  }
  parts_.dispatcher.plan(std::move(rest));
}

// Its last unit's line goes before that of the next one, so that a crash leaves one unit in hand in the journal, too.
bool Coordinator::all_recorded(int replica) const {
  return parts_.dispatcher.in_hand(replica) == 0 &&
         std::none_of(writing_.begin(), writing_.end(),
                      [replica](const auto& item) { return item.second.replica == replica; });
}

std::optional<Unit> Coordinator::next_for(int replica) {
  if (parts_.dispatcher.pending() == 0 || too_many_pictures(replica)) return std::nullopt;
  if (stage_ == Stage::suspects && !all_recorded(replica)) return std::nullopt;
  const auto place = parts_.dispatcher.next(replica, now_);
  if (!place) return std::nullopt;
  const Unit& unit = units_[*place];
  SentLine line;
  line.unit = unit.index;
  for (const Item& item : unit.items) line.ids.push_back(item.id);
  line.attempt = unit.attempt;
  line.replica = replica;
  line.alone = stage_ == Stage::suspects;
  parts_.journal.sent(line);
  return with_pictures(unit);
}

bool Coordinator::too_many_pictures(int replica) const {
  return picture_bytes_sum_ > kPictureBytesInHand && parts_.dispatcher.in_hand(replica) > 0;
}

Unit Coordinator::with_pictures(Unit unit) {
  std::uint64_t bytes = 0;
  for (Item& item : unit.items) {
    read_pictures(item);
    for (const ImageFile& image : item.images) bytes += image.data.size();
  }
  if (bytes > 0) picture_bytes_.emplace(unit.index, bytes);
  picture_bytes_sum_ += bytes;
  return unit;
}

void Coordinator::forget_pictures(std::uint64_t unit) {
  if (const auto found = picture_bytes_.find(unit); found != picture_bytes_.end()) {
    picture_bytes_sum_ -= found->second;
    picture_bytes_.erase(found);
  }
}

std::vector<std::vector<Unit>> Coordinator::first_shares() {
  begin_ = now_ = clock_();
  std::vector<std::vector<Unit>> shares(totals_.size());
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t r = 0; r < shares.size(); ++r) {
      if (auto unit = next_for(static_cast<int>(r))) {
        shares[r].push_back(std::move(*unit));
        moved = true;
      }
    }
  }
  return shares;
}

bool Coordinator::progress() {
  now_ = clock_();
  bool active = take_deliveries();
  active = take_written() || active;
  active = take_returned() || active;
  if (parts_.exchange.drain_asked() && !draining_) start_drain();
  if (active) refill();  // only what came home or back is a reason
  recall_for_the_idle();
  end_if_done();
  return active;
}

bool Coordinator::take_deliveries() {
  bool any = false;
  while (auto delivery = parts_.exchange.take_delivery()) {
    any = true;
    const std::size_t place = place_.at(delivery->unit);
    const Unit& unit = units_.at(place);
    ReplicaTotals& totals = totals_.at(static_cast<std::size_t>(delivery->from));
    parts_.dispatcher.finished(delivery->from, place, now_, tokens_of(delivery->results));
    forget_pictures(unit.index);
    watch_speed(delivery->from);
    double seconds = 0;
    for (std::size_t p = 0; p < delivery->seconds.size(); ++p) {
      totals.seconds[p] += delivery->seconds[p];
      seconds += delivery->seconds[p];
    }
    unit_seconds_.push_back(seconds);
    totals.transfer_seconds += delivery->transfer_seconds;
    keep(ResultSpan::Kind::transfer, delivery->from, "unit " + std::to_string(unit.index), delivery->transfer_seconds);
    for (std::size_t i = 0; i < unit.items.size(); ++i) {
      const Item& item = unit.items[i];
      if (records_.contains(item.id)) continue;  // by an earlier job; only others of its batch were open
      Result& result = delivery->results.at(i);
      const double share = seconds / static_cast<double>(unit.items.size());
      ++totals.items;
      if (result.text) totals.tokens += result.text->token_ids.size();
      writing_.emplace(item.id, Writing{delivery->from, unit.attempt, share, now_ - begin_});
      parts_.writers.submit(item, std::move(result));
    }
  }
  return any;
}

/// One line when a replica falls behind the others, and one when it is back.
void Coordinator::watch_speed(int replica) {
  const bool slow = parts_.dispatcher.predictor().much_slower(replica);
  if (slow && slow_.insert(replica).second) {
    log::warning("a replica is more than 1.5 times as slow as the median of all", {{"replica", replica}});
  } else if (!slow && slow_.erase(replica) > 0) {
    log::info("a replica is as fast as the others again", {{"replica", replica}});
  }
}

/// It ends now.
void Coordinator::keep(ResultSpan::Kind kind, int replica, std::string what, double seconds) {
  if (result_spans_.size() == kMostResultSpans) return;
  result_spans_.push_back({kind, replica, std::move(what), clock_() - seconds, seconds});
}

bool Coordinator::take_written() {
  bool any = false;
  while (auto written = parts_.writers.take()) {
    any = true;
    const auto found = writing_.find(written->item.id);
    const Writing& writing = found->second;
    totals_.at(static_cast<std::size_t>(writing.replica)).write_seconds += written->seconds;
    keep(ResultSpan::Kind::write, writing.replica, written->item.id, written->seconds);
    ItemRecord record;
    record.id = written->item.id;
    record.ok = written->error.empty();
    record.error = written->error;
    record.picture = written->picture;
    record.tensors = written->tensors;
    record.text = std::move(written->text);
    record.seed = written->item.seed;
    record.width = written->item.width;
    record.height = written->item.height;
    record.seconds = writing.seconds;
    record.finished_seconds = writing.finished;
    record.replica = writing.replica;
    record.attempt = writing.attempt;
    record.degraded = written->degraded;
    writing_.erase(found);
    settle(std::move(record));
  }
  return any;
}

void Coordinator::settle(ItemRecord record) {
  if (record.ok) {
    log::info("item done", {{"id", record.id}, {"replica", record.replica}, {"seconds", record.seconds}});
  } else {
    log::warning("item failed", {{"id", record.id}, {"replica", record.replica}, {"error", record.error}});
  }
  if (record.degraded) log::warning("memory was short for an item: its bits may differ", {{"id", record.id}});
  count(record);
  parts_.journal.item(record);
  records_.insert_or_assign(record.id, std::move(record));
}

void Coordinator::count(const ItemRecord& record) {
  ++(record.ok ? done_ : failed_);
  degraded_ += record.degraded ? 1 : 0;
}

bool Coordinator::take_returned() {
  bool any = false;
  while (auto returned = parts_.exchange.take_returned()) {
    any = true;
    std::vector<std::size_t> places;
    for (const Unit& unit : returned->units) {
      parts_.journal.returned({unit.index});
      forget_pictures(unit.index);
      places.push_back(place_.at(unit.index));
    }
    parts_.dispatcher.returned(returned->from, places);
  }
  return any;
}

void Coordinator::start_drain() {
  draining_ = true;
  log::info("asked to stop: finishing what has begun", {{"not_begun", parts_.dispatcher.pending()}});
  for (std::size_t r = 0; r < totals_.size(); ++r) parts_.exchange.recall(static_cast<int>(r));
}

void Coordinator::refill() {
  if (draining_) return;
  const bool none_out = parts_.dispatcher.pending() == 0 && parts_.dispatcher.all_home() && writing_.empty();
  if (stage_ == Stage::suspects && none_out) plan_next_stage();
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t r = 0; r < totals_.size(); ++r) {
      if (auto unit = next_for(static_cast<int>(r))) {
        parts_.exchange.refill(static_cast<int>(r), std::move(*unit));
        moved = true;
      }
    }
  }
}

void Coordinator::recall_for_the_idle() {
  if (stage_ != Stage::all || draining_) return;
  if (const auto replica = parts_.dispatcher.recall(now_)) parts_.exchange.recall(*replica);
}

void Coordinator::end_if_done() {
  if (finish_sent_) return;
  const bool nothing_left = parts_.dispatcher.pending() == 0 && (stage_ != Stage::suspects);
  if (!parts_.dispatcher.all_home() || !writing_.empty() || !(nothing_left || draining_)) return;
  parts_.journal.flush();
  parts_.exchange.finish(!nothing_left ? ExitCode::stopped_early
                         : failed_ > 0 ? ExitCode::some_items_failed
                                       : ExitCode::ok);
  finish_sent_ = true;
}

}  // namespace trireme
