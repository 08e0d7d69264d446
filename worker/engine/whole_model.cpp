#include "worker/engine/whole_model.h"

#include <c10/util/Exception.h>

#include <utility>

#include "common/errors.h"
#include "common/steady_clock.h"

namespace trireme {

struct WholeModelEngine::InHand {
  enum class Stage { begun, passing, finishing, planned };

  explicit InHand(Unit u) : unit(std::move(u)) {
    for (const Item& item : unit.items) errors.push_back(item.error);
  }
  Unit unit;
  std::vector<std::string> errors;   // of each item; empty: it can be made
  std::vector<std::size_t> open;     // places of the items that the session is about
  std::unique_ptr<Session> session;  // null when nothing is left to make
  Slices slices;                     // of the present stage
  std::size_t next_slice = 0;
  Stage stage = Stage::begun;
  std::vector<Result> results;  // of the open items

  struct Mark {
    Phase phase;
    device::Event start;
  };
  std::vector<Mark> marks;  // where a phase begins
  device::Event end;
};

WholeModelEngine::WholeModelEngine(Model& model, Settings settings) : model_(model), settings_(settings) {}
WholeModelEngine::~WholeModelEngine() = default;

void WholeModelEngine::submit(Unit unit) { waiting_.push_back(std::move(unit)); }

std::vector<Unit> WholeModelEngine::recall() {
  std::vector<Unit> units(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.end()));
  waiting_.clear();
  return units;
}

bool WholeModelEngine::idle() const {
  return waiting_.empty() && !current_ && completing_.empty() && finished_.empty();
}

std::optional<Finished> WholeModelEngine::take() {
  if (finished_.empty()) return std::nullopt;
  Finished finished = std::move(finished_.front());
  finished_.pop_front();
  return finished;
}

bool WholeModelEngine::progress() {
  bool active = collect();
  const auto deadline = std::chrono::steady_clock::now() + settings_.pass_budget;
  while (in_flight_.size() < settings_.slices_in_flight && (current_ || !waiting_.empty())) {
    if (!current_) begin_next();
    run_slice();
    active = true;
    if (std::chrono::steady_clock::now() >= deadline) break;
  }
  return collect() || active;
}

void WholeModelEngine::begin_next() {
  if (zero_seconds_ == 0) {
    zero_.record(model_.device());
    zero_seconds_ = steady_seconds();
  }
  current_ = std::make_unique<InHand>(std::move(waiting_.front()));
  waiting_.pop_front();
  try {
    begin(*current_);
  } catch (const ItemError& e) {
    fail_one(*current_, e);
  }
}

// A session for the items that have no error yet; none if all have one.
void WholeModelEngine::begin(InHand& unit) {
  unit.session.reset();
  unit.slices.clear();
  unit.next_slice = 0;
  unit.stage = InHand::Stage::begun;
  unit.results.clear();
  unit.open.clear();
  Unit rest{unit.unit.index, {}, unit.unit.attempt};
  for (std::size_t i = 0; i < unit.errors.size(); ++i) {
    if (!unit.errors[i].empty()) continue;
    unit.open.push_back(i);
    rest.items.push_back(unit.unit.items[i]);
  }
  if (!rest.items.empty()) unit.session = model_.begin(rest, unit.slices);
}

void WholeModelEngine::run_slice() {
  InHand& unit = *current_;
  try {
    while (unit.session && unit.next_slice == unit.slices.size() && unit.stage != InHand::Stage::planned)
      plan_more(unit);
    if (unit.session && unit.next_slice < unit.slices.size()) {
      Slice& slice = unit.slices[unit.next_slice++];
      if (unit.marks.empty() || unit.marks.back().phase != slice.phase) {
        unit.marks.push_back({slice.phase, {}});
        unit.marks.back().start.record(model_.device());
      }
      slice.run();
      in_flight_.emplace_back();
      in_flight_.back().record(model_.device());
    }
  } catch (const ItemError& e) {
    fail_one(unit, e);
  } catch (const c10::OutOfMemoryError& e) {
    fail(unit, std::string("out of device memory: lower the size, max_new_tokens or dispatch.batch, or set "
                           "memory.vae_tiling: true (") +
                   e.what_without_backtrace() + ")");
  }
  const bool all_enqueued = unit.stage == InHand::Stage::planned && unit.next_slice == unit.slices.size();
  if (!unit.session || all_enqueued) {
    unit.end.record(model_.device());
    completing_.push_back(std::move(current_));
  }
}

// Appends the slices of the next verbs; the session's pass and halves are up to date once earlier slices have run.
void WholeModelEngine::plan_more(InHand& unit) {
  Session& session = *unit.session;
  unit.slices.clear();
  unit.next_slice = 0;
  if (!session.done()) {
    unit.stage = InHand::Stage::passing;
    for (int half = 0; half < session.halves; ++half) {
      model_.enter(session, half, unit.slices);
      model_.layers(session, half, {0, model_.layer_count()}, unit.slices);
      model_.leave(session, half, unit.slices);
    }
    model_.advance(session, unit.slices);
  } else if (unit.stage != InHand::Stage::finishing) {
    unit.stage = InHand::Stage::finishing;
    model_.finish(session, unit.slices, unit.results);
  } else {
    unit.stage = InHand::Stage::planned;
  }
}

// All open items fail with the same reason.
void WholeModelEngine::fail(InHand& unit, const std::string& why) {
  for (const std::size_t place : unit.open) unit.errors[place] = why;
  unit.session.reset();
  unit.slices.clear();
  unit.next_slice = 0;
  unit.results.clear();
  unit.open.clear();
}

// One item fails and the others begin again, until those that are left can be begun.
void WholeModelEngine::fail_one(InHand& unit, const ItemError& error) {
  std::string why = error.what();
  std::optional<std::size_t> item = error.item();
  for (;;) {
    if (!item || *item >= unit.open.size()) return fail(unit, why);
    unit.errors[unit.open[*item]] = why;
    try {
      return begin(unit);
    } catch (const ItemError& e) {
      why = e.what();
      item = e.item();
    }
  }
}

std::uint64_t WholeModelEngine::tokens_done() const {
  std::uint64_t sum = tokens_done_;
  if (current_ && current_->session) sum += current_->session->tokens();
  for (const auto& unit : completing_) {
    if (unit->session) sum += unit->session->tokens();
  }
  return sum;
}

void WholeModelEngine::keep_spans(const InHand& unit) {
  for (std::size_t i = 0; i < unit.marks.size() && spans_.size() < kMostSpans; ++i) {
    const InHand::Mark& mark = unit.marks[i];
    const device::Event& until = i + 1 < unit.marks.size() ? unit.marks[i + 1].start : unit.end;
    Span span{span_of(mark.phase), unit.unit.index};
    span.begin = zero_seconds_ + mark.start.seconds_since(zero_);
    span.seconds = until.seconds_since(mark.start);
    spans_.push_back(span);
  }
}

// Seconds of each phase, and every item's result in the unit's order.
Finished WholeModelEngine::finished(InHand& unit) const {
  Finished finished;
  const device::Event* first_token = &unit.end;
  for (std::size_t i = 0; i < unit.marks.size(); ++i) {
    const device::Event& until = i + 1 < unit.marks.size() ? unit.marks[i + 1].start : unit.end;
    finished.seconds[static_cast<std::size_t>(unit.marks[i].phase)] += until.seconds_since(unit.marks[i].start);
    if (unit.marks[i].phase == Phase::decode && first_token == &unit.end) first_token = &unit.marks[i].start;
  }
  if (unit.results.size() != unit.open.size()) {
    throw Error(ExitCode::internal, "the model made " + std::to_string(unit.results.size()) + " results of " +
                                        std::to_string(unit.open.size()) + " items");
  }
  for (std::size_t i = 0; i < unit.errors.size(); ++i) {
    finished.results.push_back({unit.unit.items[i].id, unit.errors[i], {}, {}, {}, {}});
  }
  for (std::size_t i = 0; i < unit.open.size(); ++i) {
    Result& result = finished.results[unit.open[i]] = std::move(unit.results[i]);
    if (const auto complete = std::exchange(result.complete, {})) complete(result);
    if (!result.text) continue;
    result.text->first_token_seconds = first_token->seconds_since(unit.marks.front().start);
    result.text->decode_seconds = unit.end.seconds_since(*first_token);
  }
  finished.unit = std::move(unit.unit);
  return finished;
}

bool WholeModelEngine::collect() {
  bool any = false;
  while (!in_flight_.empty() && in_flight_.front().done()) {
    in_flight_.pop_front();
    ++slices_done_;
    any = true;
  }
  while (!completing_.empty() && completing_.front()->end.done()) {
    InHand& unit = *completing_.front();
    if (unit.session) tokens_done_ += unit.session->tokens();
    keep_spans(unit);
    finished_.push_back(finished(unit));
    for (std::size_t i = 0; i < seconds_.size(); ++i) seconds_[i] += finished_.back().seconds[i];
    completing_.pop_front();
    any = true;
  }
  return any;
}

}  // namespace trireme
