#include "worker/engine/guidance_pair.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "common/errors.h"
#include "worker/engine/unit_items.h"
#include "worker/engine/unit_work.h"
#include "worker/exchange/codec.h"
#include "worker/transport/wire.h"

namespace trireme {
namespace {

constexpr int kRanks = 2;

enum class Kind : std::uint8_t { announce, word, place };

Bytes encode_announcement(const Unit& unit) {
  wire::Writer out;
  out.number(static_cast<std::uint8_t>(Kind::announce));
  out.text(std::string(as_text(codec::encode_units({&unit, 1}))));
  return out.take();
}

Bytes encode_word(std::uint64_t unit, const std::string& error) {
  wire::Writer out;
  out.number(static_cast<std::uint8_t>(Kind::word));
  out.number(unit);
  out.text(error);
  return out.take();
}

Bytes encode_place(std::uint64_t seq) {
  wire::Writer out;
  out.number(static_cast<std::uint8_t>(Kind::place));
  out.number(seq);
  return out.take();
}

at::Tensor bytes_of(const at::Tensor& tensor) { return tensor.view({-1}).view(at::kByte); }

}  // namespace

struct GuidancePairEngine::InHand {
  /// What the slices at hand are, and what comes when all are enqueued.
  enum class Stage { begun, predicting, hearing, exchanging, stepping, finishing, planned };

  InHand(Unit u, at::Device device) : unit(std::move(u)), clock(device) {}
  Unit unit;
  std::unique_ptr<Session> session;  // null when the unit failed
  std::deque<std::string> words;     // of the other rank, not yet acted on: READY is empty, else why the unit failed
  Slices slices;
  std::size_t next_slice = 0;
  Stage stage = Stage::begun;
  at::Tensor arriving;  // the other rank's prediction
  TransferId transfer = 0;
  std::vector<Result> results;  // of the items that could be made
  PhaseClock clock;
};

GuidancePairEngine::GuidancePairEngine(Model& model, Transport& replica, Settings settings)
    : model_(model),
      replica_(replica),
      settings_(settings),
      in_flight_(model.device()),
      places_(replica, settings.exchange),
      times_(model.device()) {
  if (replica.size() != kRanks) throw Error(ExitCode::internal, "the halves of guidance are shared by two ranks");
}
GuidancePairEngine::~GuidancePairEngine() = default;

void GuidancePairEngine::submit(Unit unit) {
  if (!first()) throw Error(ExitCode::internal, "units come in at the first rank of a replica");
  waiting_.push_back(std::make_unique<InHand>(std::move(unit), model_.device()));
}

std::vector<Unit> GuidancePairEngine::recall() {
  std::vector<Unit> units;
  if (!first()) return units;  // what is announced has begun
  for (auto& waiting : waiting_) units.push_back(std::move(waiting->unit));
  waiting_.clear();
  return units;
}

bool GuidancePairEngine::idle() const {
  return waiting_.empty() && !current_ && completing_.empty() && finished_.empty();
}

bool GuidancePairEngine::computing() const {
  if (!in_flight_.empty()) return true;
  return current_ && current_->stage != InHand::Stage::hearing && current_->stage != InHand::Stage::exchanging;
}

bool GuidancePairEngine::progress() {
  bool active = hear();
  give_places();
  places_.post_up_to(words_acted_on_);
  active = collect() || active;
  const auto deadline = std::chrono::steady_clock::now() + settings_.pass_budget;
  while (in_flight_.size() < settings_.slices_in_flight && step()) {
    active = true;
    if (std::chrono::steady_clock::now() >= deadline) break;
  }
  return collect() || active;
}

GuidancePairEngine::InHand* GuidancePairEngine::find(std::uint64_t unit) const {
  if (current_ && current_->unit.index == unit) return current_.get();
  const auto found =
      std::find_if(waiting_.begin(), waiting_.end(), [unit](const auto& held) { return held->unit.index == unit; });
  return found == waiting_.end() ? nullptr : found->get();
}

bool GuidancePairEngine::hear() {
  replica_.progress();
  bool any = false;
  while (const auto message = replica_.receive()) {
    wire::Reader in(message->body, "message of the other half's rank");
    const auto kind = static_cast<Kind>(in.number<std::uint8_t>());
    if (kind == Kind::announce) {
      const std::string text = in.text();
      Unit unit = std::move(codec::decode_units(std::as_bytes(std::span(text))).at(0));
      waiting_.push_back(std::make_unique<InHand>(std::move(unit), model_.device()));
    } else if (kind == Kind::place) {
      places_.give(in.number<std::uint64_t>(), words_heard_);
    } else {
      const auto unit = in.number<std::uint64_t>();
      std::string error = in.text();
      if (InHand* held = find(unit)) {  // else it failed on both ranks at once
        held->words.push_back(std::move(error));
        ++words_heard_;
      }
    }
    in.end();
    any = true;
  }
  return any;
}

/// One step of the unit at work; false where it must wait.
bool GuidancePairEngine::step() {
  using Stage = InHand::Stage;
  if (!current_) {
    if (waiting_.empty()) return false;
    current_ = std::move(waiting_.front());
    waiting_.pop_front();
    if (first()) replica_.send(1, encode_announcement(current_->unit));
  }
  InHand& unit = *current_;
  if (unit.stage == Stage::hearing) return hear_other(unit);
  if (unit.stage == Stage::exchanging) return follow(unit);
  const auto failure = failure_of([&] {
    if (!unit.session) begin(unit);
    if (unit.session) run_slice(unit);
  });
  if (failure) fail(unit, *failure, /*tell=*/true);
  if (!unit.session || unit.stage == Stage::planned) close();
  return true;
}

/// Both ranks begin with the same words, so an item that can't be made is closed on both. The session stays null where
/// none can.
void GuidancePairEngine::begin(InHand& unit) {
  times_.start_clock();
  unit.session = begin_open_items(model_, unit.unit, unit.slices);
  if (!unit.session) return;
  const bool shared = unit.session->halves == kRanks;
  if (first() && !shared) {
    unit.slices.clear();
    unit.stage = InHand::Stage::planned;
  }
  if (!shared) return;
  const auto others = [this](const Slice& slice) { return slice.half != kEveryHalf && slice.half != own_half(); };
  unit.slices.erase(std::remove_if(unit.slices.begin(), unit.slices.end(), others), unit.slices.end());
}

/// Enqueues a slice; behind the last one, decides what is next.
void GuidancePairEngine::run_slice(InHand& unit) {
  using Stage = InHand::Stage;
  if (unit.next_slice < unit.slices.size()) {
    Slice& slice = unit.slices[unit.next_slice++];
    unit.clock.enter(slice.phase);
    slice.run();
    in_flight_.add();
  }
  if (unit.next_slice < unit.slices.size()) return;
  unit.slices.clear();
  unit.next_slice = 0;
  if (unit.stage == Stage::predicting) {
    replica_.send(1 - replica_.rank(), encode_word(unit.unit.index, {}));
    unit.stage = Stage::hearing;
  } else if (unit.stage == Stage::finishing) {
    unit.stage = Stage::planned;
  } else if (unit.stage != Stage::planned) {
    plan_pass(unit);
  }
}

void GuidancePairEngine::plan_pass(InHand& unit) {
  using Stage = InHand::Stage;
  Session& session = *unit.session;
  const bool shared = !session.done() && session.halves == kRanks;
  if (first() && !shared) {  // the rest is the last rank's
    unit.stage = Stage::planned;
    return;
  }
  if (session.done()) {
    unit.stage = Stage::finishing;
    model_.finish(session, unit.slices, unit.results);
    return;
  }
  plan_half(model_, session, shared ? own_half() : 0, unit.slices);
  unit.stage = shared ? Stage::predicting : Stage::stepping;
  if (!shared) model_.advance(session, unit.slices);
}

/// Not between our word and our half of the exchange that it stands for: the other rank has that one come first.
void GuidancePairEngine::give_places() {
  if (current_ && current_->stage == InHand::Stage::hearing) return;
  for (const auto& [rank, seq] : places_.take_placeless()) {
    replica_.send(rank, encode_place(seq));
    places_.give(seq, words_acted_on_);
  }
}

bool GuidancePairEngine::hear_other(InHand& unit) {
  if (unit.words.empty() || !places_.post_up_to(words_acted_on_) || !places_.flushed()) return false;
  const std::string error = std::move(unit.words.front());
  unit.words.pop_front();
  ++words_acted_on_;
  if (error.empty()) {
    exchange(unit);
  } else {
    fail(unit, error, /*tell=*/false);
    close();
  }
  return true;
}

void GuidancePairEngine::exchange(InHand& unit) {
  const at::Tensor own = unit.session->predictions[static_cast<std::size_t>(own_half())].contiguous();
  unit.arriving = at::empty_like(own);
  const int other = 1 - replica_.rank();
  unit.transfer =
      replica_.start({{other, Direction::send, bytes_of(own)}, {other, Direction::receive, bytes_of(unit.arriving)}});
  unit.stage = InHand::Stage::exchanging;
}

bool GuidancePairEngine::follow(InHand& unit) {
  if (!replica_.follow(unit.transfer)) return false;
  unit.session->predictions[static_cast<std::size_t>(1 - own_half())] = std::exchange(unit.arriving, {});
  unit.stage = InHand::Stage::stepping;
  model_.advance(*unit.session, unit.slices);
  ++transfers_done_;
  return true;
}

void GuidancePairEngine::fail(InHand& unit, const std::string& why, bool tell) {
  if (tell) replica_.send(1 - replica_.rank(), encode_word(unit.unit.index, why));
  words_acted_on_ += unit.words.size();
  unit.words.clear();
  unit.session.reset();
  unit.slices.clear();
  unit.results.clear();
  close_items(unit.unit, why);
}

void GuidancePairEngine::close() {
  current_->clock.end();
  completing_.push_back(std::move(current_));
}

bool GuidancePairEngine::collect() {
  bool any = in_flight_.collect();
  while (!completing_.empty() && completing_.front()->clock.ended()) {
    InHand& unit = *completing_.front();
    for (Result& result : unit.results) {
      if (const auto complete = std::exchange(result.complete, {})) complete(result);
    }
    times_.add_side(unit.unit.index, unit.clock);
    if (!first()) {
      std::vector<Result> results = results_of_all(unit.unit, std::move(unit.results));
      finished_.push_back({std::move(unit.unit), std::move(results), unit.clock.seconds()});
    }
    completing_.pop_front();
    any = true;
  }
  return any;
}

}  // namespace trireme
