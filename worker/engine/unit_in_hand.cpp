#include "worker/engine/unit_in_hand.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "worker/engine/unit_work.h"

namespace trireme {
namespace {

constexpr int kMostHalvings = 2;  // tiles of a quarter of the usual width

}  // namespace

UnitInHand::UnitInHand(Unit unit, Model& model, const Settings& settings)
    : unit_(std::move(unit)),
      model_(model),
      degrade_(settings.degrade),
      made_(unit_.items.size()),
      shortages_(settings.tried_before ? 1 : 0) {
  for (const Item& item : unit_.items) errors_.push_back(item.error);
}

/// Runs `work`; an item's error is that item's. False: memory is short.
bool UnitInHand::attempt(const std::function<void()>& work) {
  try {
    work();
  } catch (const ItemError& e) {
    fail(e);
    return begin();
  } catch (const std::exception& e) {
    const auto shortage = memory_shortage(e);
    if (!shortage) throw;
    memory_was_short(*shortage);
    return false;
  }
  return true;
}

std::vector<std::size_t> UnitInHand::places_to_make() const {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < errors_.size(); ++i) {
    if (!errors_[i].empty() || made_[i]) continue;
    places.push_back(i);
    if (one_by_one_) break;
  }
  return places;
}

void UnitInHand::drop_session() {
  session_.reset();
  slices_.clear();
  next_ = 0;
  stage_ = Stage::begun;
  results_.clear();
}

bool UnitInHand::begin() {
  drop_session();
  waits_for_memory_ = false;
  share_ = places_to_make();
  if (share_.empty()) return true;
  return attempt([this] {
    Unit rest{unit_.index, {}, unit_.attempt};
    for (const std::size_t place : share_) rest.items.push_back(unit_.items[place]);
    session_ = model_.begin(rest, slices_);
    session_->halved_tiles = halved_tiles_;
  });
}

/// Appends the slices of the next verbs; the session's pass and halves are up to date once earlier slices have run.
void UnitInHand::plan() {
  Session& session = *session_;
  slices_.clear();
  next_ = 0;
  if (!session.done()) {
    stage_ = Stage::passing;
    plan_pass(model_, session, slices_);
  } else if (stage_ != Stage::finishing) {
    stage_ = Stage::finishing;
    model_.finish(session, slices_, results_);
  } else {
    stage_ = Stage::planned;
  }
}

/// The results of a session whose slices are all enqueued.
void UnitInHand::close_share() {
  if (results_.size() != share_.size()) {
    throw Error(ExitCode::internal, "the model made " + std::to_string(results_.size()) + " results of " +
                                        std::to_string(share_.size()) + " items");
  }
  for (std::size_t i = 0; i < share_.size(); ++i) {
    results_[i].degraded = one_by_one_ || halved_tiles_ > 0;
    made_[share_[i]] = std::move(results_[i]);
  }
  // The next item of a unit that goes one by one needs the memory.
  if (one_by_one_) tokens_ += session_->tokens();
  closed_ = one_by_one_ ? nullptr : std::move(session_);
  session_.reset();
}

std::uint64_t UnitInHand::tokens() const {
  std::uint64_t sum = tokens_;
  for (const auto& session : {session_.get(), closed_.get()}) sum += session == nullptr ? 0 : session->tokens();
  return sum;
}

const Slice* UnitInHand::next() {
  while (session_ && next_ == slices_.size()) {
    if (stage_ != Stage::planned) {
      plan();
    } else {
      close_share();
      if (!begin()) return nullptr;
    }
  }
  return session_ ? &slices_[next_] : nullptr;
}

bool UnitInHand::run() {
  return attempt([this] {
    Slice& slice = slices_[next_++];
    if (marks_.empty() || marks_.back().paused || marks_.back().phase != slice.phase) {
      marks_.push_back({slice.phase, {}, {}});
      marks_.back().start.record(model_.device());
    }
    slice.run();
  });
}

void UnitInHand::pause() {
  if (marks_.empty() || marks_.back().paused) return;
  marks_.back().end.record(model_.device());
  marks_.back().paused = true;
}

/// One item of the share; all of them where the error does not say which.
void UnitInHand::fail(const ItemError& error) {
  if (!error.item() || *error.item() >= share_.size()) return fail_share(error.what());
  errors_[share_[*error.item()]] = error.what();
}

void UnitInHand::fail_share(const std::string& why) {
  for (const std::size_t place : share_) errors_[place] = why;
}

void UnitInHand::memory_was_short(const std::string& what) {
  const bool decoding = stage_ == Stage::finishing && unit_.items.front().width > 0;
  drop_session();  // `begin` comes later: it would need what it could not have
  ++shortages_;
  waits_for_memory_ = true;
  log::warning("out of device memory", {{"unit", unit_.index}, {"items", share_.size()}, {"time", shortages_}});
  if (shortages_ == 1) return;
  if (degrade_ && share_.size() > 1) {
    one_by_one_ = true;
  } else if (degrade_ && decoding && halved_tiles_ < kMostHalvings) {
    ++halved_tiles_;
  } else {
    fail_share(shortage_text(what));
  }
}

const device::Event& UnitInHand::end_of(std::size_t mark) const {
  if (marks_[mark].paused) return marks_[mark].end;
  return mark + 1 < marks_.size() ? marks_[mark + 1].start : end_;
}

void UnitInHand::for_each_phase(
    const std::function<void(Phase, const device::Event&, const device::Event&)>& visit) const {
  for (std::size_t i = 0; i < marks_.size(); ++i) visit(marks_[i].phase, marks_[i].start, end_of(i));
}

const device::Event& UnitInHand::first_token() const {
  const auto found =
      std::find_if(marks_.begin(), marks_.end(), [](const Mark& mark) { return mark.phase == Phase::decode; });
  return found == marks_.end() ? end_ : found->start;
}

Finished UnitInHand::finished() {
  Finished finished;
  for_each_phase([&](Phase phase, const device::Event& begin, const device::Event& end) {
    finished.seconds[static_cast<std::size_t>(phase)] += end.seconds_since(begin);
  });
  for (std::size_t i = 0; i < errors_.size(); ++i) {
    if (!made_[i]) {
      finished.results.push_back({unit_.items[i].id, errors_[i], {}, {}, {}, {}});
      continue;
    }
    Result& result = finished.results.emplace_back(std::move(*made_[i]));
    if (const auto complete = std::exchange(result.complete, {})) complete(result);
    if (!result.text) continue;
    result.text->first_token_seconds = first_token().seconds_since(marks_.front().start);
    result.text->decode_seconds = end_.seconds_since(first_token());
  }
  finished.unit = std::move(unit_);
  return finished;
}

}  // namespace trireme
