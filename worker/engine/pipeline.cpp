#include "worker/engine/pipeline.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "common/errors.h"
#include "worker/engine/unit_items.h"
#include "worker/exchange/codec.h"
#include "worker/transport/flushed.h"

namespace trireme {
namespace {

constexpr std::size_t kPreparedAhead = 2;

at::Tensor bytes_of(const at::Tensor& tensor) { return tensor.contiguous().view({-1}).view(at::kByte); }

TensorShape shape_of(const at::Tensor& tensor) { return {tensor.scalar_type(), tensor.sizes().vec()}; }

std::string unit_name(std::uint64_t unit) { return "unit " + std::to_string(unit); }

/// Pictures that only the first stage looks at stay there.
std::string encode_for_later_stages(Unit unit) {
  for (Item& item : unit.items) {
    for (ImageFile& image : item.images) image.data.clear();
  }
  return std::string(as_text(codec::encode_units({&unit, 1})));
}

Unit decode_unit(const std::string& text) {
  return std::move(codec::decode_units(std::as_bytes(std::span(text))).at(0));
}

}  // namespace

struct PipelineEngine::Turn {
  enum class Step { announced, posted, admitting, working, done };
  ring::Slot slot;
  Step step = Step::announced;
  std::optional<TransferId> transfer;
  std::vector<at::Tensor> received;            // of the slot
  std::optional<std::uint64_t> returned_unit;  // first stage: whose state has come round
  at::Tensor returned;
  Slices slices;
  std::size_t next = 0;
  bool timed = false;
};

PipelineEngine::PipelineEngine(Model& model, Transport& replica, Settings settings)
    : model_(model),
      replica_(replica),
      settings_(settings),
      index_(replica.rank()),
      stages_(replica.size()),
      side_(model.device()),
      schedule_(stages_, settings.micro_batches),
      times_(model.device()),
      results_(model, side_, times_, stages_) {
  if (replica.device() != model.device()) {
    throw ConfigError("parallel.transport: a model on " + model.device().str() + " can't be cut with a carrier of " +
                      replica.device().str() + " memory; use auto");
  }
}
PipelineEngine::~PipelineEngine() = default;

void PipelineEngine::submit(Unit unit) {
  if (!first()) throw Error(ExitCode::internal, "units come in at the first stage");
  waiting_.push_back(std::move(unit));
}

std::vector<Unit> PipelineEngine::recall() {
  std::vector<Unit> units(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.end()));
  waiting_.clear();
  return units;
}

std::optional<Finished> PipelineEngine::take() {
  if (finished_.empty()) return std::nullopt;
  Finished finished = std::move(finished_.front());
  finished_.pop_front();
  return finished;
}

bool PipelineEngine::idle() const {
  return waiting_.empty() && preparing_.empty() && held_.empty() && results_.idle() && finished_.empty() && !turn_ &&
         outgoing_.empty() && slots_.empty();
}

std::uint64_t PipelineEngine::tokens_done() const {
  std::uint64_t sum = results_.tokens();
  for (const auto& [unit, held] : held_) {
    if (last() && held->session) sum += held->session->tokens();
  }
  return sum;
}

bool PipelineEngine::computing() const {
  return !in_flight_.empty() || !side_.idle() || (turn_ && turn_->step >= Turn::Step::admitting);
}

bool PipelineEngine::stopped() const {
  if (!first()) return stopped_;
  return stop_sent_ && !turn_ && stages_stopped_ == stages_ - 1;
}

bool PipelineEngine::progress() {
  bool active = hear();
  active = collect() || active;
  if (first()) prepare();
  const auto deadline = std::chrono::steady_clock::now() + settings_.pass_budget;
  bool more = true;
  while (in_flight_.size() < settings_.slices_in_flight && (more = step())) {
    active = true;
    if (std::chrono::steady_clock::now() >= deadline) break;
  }
  // The ring comes first: on a GPU by the priority of its stream, on a CPU beside it only while it waits.
  if (!more || model_.device().is_cuda()) active = side_.progress(settings_.side_slices_in_flight) || active;
  return collect() || active;
}

bool PipelineEngine::hear() {
  replica_.progress();
  bool any = false;
  while (const auto message = replica_.receive()) {
    handle(message->from, ring::decode(message->body));
    any = true;
  }
  return any;
}

void PipelineEngine::handle(int from, const ring::Any& message) {
  if (const auto* slot = std::get_if<ring::Slot>(&message)) {
    if (first() || from != 0) throw Error(ExitCode::internal, "stage " + std::to_string(from) + " describes a slot");
    slots_.push_back(*slot);
  } else if (const auto* trouble = std::get_if<ring::Trouble>(&message)) {
    if (RingUnit* unit = held(trouble->unit); unit != nullptr && unit->error.empty()) unit->error = trouble->error;
  } else if (const auto* ended = std::get_if<ring::Ended>(&message)) {
    if (RingUnit* unit = held(ended->unit)) unit->ended = true;
  } else if (const auto* verdict = std::get_if<ring::Verdict>(&message)) {
    results_.hear(*verdict);
  } else {
    ++stages_stopped_;
  }
}

bool PipelineEngine::collect() {
  bool any = false;
  while (!in_flight_.empty() && in_flight_.front().done()) {
    in_flight_.pop_front();
    ++slices_done_;
    any = true;
  }
  times_.collect();
  while (!retired_.empty() && retired_.front().second.done()) retired_.pop_front();
  if (!last()) return any;
  for (auto& [unit, held] : held_) {
    if (held->ended || !held->session || !held->session->done()) continue;
    held->ended = true;
    replica_.send(0, ring::encode(ring::Ended{unit}));
  }
  return results_.collect(finished_) || any;
}

// Beside the ring, so that no slot has to stay empty for want of a prompt.
void PipelineEngine::prepare() {
  if (preparing_.size() == kPreparedAhead || waiting_.empty()) return;
  auto held = std::make_shared<RingUnit>();
  held->unit = std::move(waiting_.front());
  waiting_.pop_front();
  held->side = side_.add(
      [this, unit = held.get()](Slices& slices) {
        unit->session.reset();
        const Unit open = open_items(unit->unit);
        if (!open.items.empty()) unit->session = model_.begin(open, slices);
      },
      [unit = held.get()](const ItemError& error) {
        if (error.item()) close_item(unit->unit, *error.item(), error.what());
        return error.item().has_value();
      });
  preparing_.push_back(std::move(held));
}

RingUnit* PipelineEngine::held(std::uint64_t unit) {
  const auto found = held_.find(unit);
  return found == held_.end() ? nullptr : found->second.get();
}

at::Tensor PipelineEngine::room(const TensorShape& shape) const {
  return at::empty(shape.sizes, at::TensorOptions(shape.dtype).device(model_.device()));
}

/// One step of the slot at work; false where it must wait.
bool PipelineEngine::step() {
  if (!turn_) return begin_turn();
  switch (turn_->step) {
    case Turn::Step::announced: return post_turn();
    case Turn::Step::posted: return arrive();
    default: return run_turn();
  }
}

bool PipelineEngine::begin_turn() {
  std::optional<ring::Slot> slot;
  if (first()) {
    slot = choose_slot();
    if (slot) announce(*slot);
  } else if (!slots_.empty()) {
    slot = std::move(slots_.front());
    slots_.pop_front();
  }
  if (!slot) return false;
  turn_ = std::make_unique<Turn>();
  turn_->slot = std::move(*slot);
  return true;
}

std::optional<ring::Slot> PipelineEngine::choose_slot() {
  if (!preparing_.empty() && preparing_.front()->side->enqueued) {
    RingUnit& next = *preparing_.front();
    if (next.error.empty()) next.error = next.side->error;
    if (!next.error.empty()) next.session.reset();
    if (!next.session && next.error.empty()) next.error = next.unit.items.at(0).error;  // that of each of its items
    const int halves = next.session ? next.session->halves : 1;
    // The prompts of a text unit go in one by one, and then take one place.
    const int places = next.unit.items.size() == 1 ? halves : 1;
    if (schedule_.has_room(places)) {
      schedule_.admit(next.unit.index, halves, places);
      held_.emplace(next.unit.index, std::move(preparing_.front()));
      preparing_.pop_front();
    }
  }
  if (const auto entry = schedule_.next()) {
    const RingUnit& unit = *held(entry->unit);
    return unit.error.empty() && !unit.ended ? describe(*entry) : give_up(*entry);
  }
  ring::Slot slot;
  slot.number = schedule_.slot();
  if (!schedule_.must_turn()) {
    if (!stop_asked_ || stop_sent_ || !waiting_.empty() || !preparing_.empty()) return std::nullopt;
    slot.kind = ring::SlotKind::stop;
    stop_sent_ = true;
  }
  schedule_.pass_over();
  return slot;
}

ring::Slot PipelineEngine::describe(const RingSchedule::Entry& entry) {
  RingUnit& unit = *held(entry.unit);
  const Session& session = *unit.session;
  ring::Slot slot;
  slot.kind = ring::SlotKind::work;
  slot.number = schedule_.slot();
  slot.unit = entry.unit;
  slot.half = entry.half;
  slot.pass = session.pass;
  slot.last_half = entry.last_half;
  slot.last_pass = session.pass + 1 == session.passes;
  Crossing crossing = model_.crossing(session, entry.half);
  slot.forward.push_back(std::move(crossing.hidden));
  for (TensorShape& shape : crossing.side) slot.forward.push_back(std::move(shape));
  if (slot.last_half && !slot.last_pass) slot.back = std::move(crossing.state);
  if (!std::exchange(unit.announced, true)) {
    slot.admits = encode_for_later_stages(unit.unit);
    slot.note = model_.note(session);
  }
  schedule_.enter(entry);
  if (slot.last_half && slot.last_pass) schedule_.remove(entry.unit);
  return slot;
}

ring::Slot PipelineEngine::give_up(const RingSchedule::Entry& entry) {
  RingUnit& unit = *held(entry.unit);
  ring::Slot slot;
  slot.kind = unit.error.empty() ? ring::SlotKind::finish : ring::SlotKind::drop;
  slot.number = schedule_.slot();
  slot.unit = entry.unit;
  slot.error = unit.error;
  if (!std::exchange(unit.announced, true)) slot.admits = encode_for_later_stages(unit.unit);
  schedule_.remove(entry.unit);
  schedule_.pass_over();
  return slot;
}

void PipelineEngine::announce(const ring::Slot& slot) {
  const Bytes message = ring::encode(slot);
  for (int stage = 1; stage < stages_; ++stage) replica_.send(stage, message);
}

/// Our half of the beat: the slot comes in, what was made of the one before goes on.
bool PipelineEngine::post_turn() {
  // The law: the description, and whatever else others wait for, has left before our half.
  if (!all_flushed(replica_, settings_.exchange)) return false;
  Turn& turn = *turn_;
  if (turn.slot.kind == ring::SlotKind::work) times_.wait();
  std::vector<Half> group;
  if (first()) {
    if (round_.size() == static_cast<std::size_t>(stages_)) {
      const auto [unit, state] = std::move(round_.front());
      round_.pop_front();
      if (state) {
        turn.returned_unit = unit;
        turn.returned = room(*state);
        group.push_back({stages_ - 1, Direction::receive, bytes_of(turn.returned)});
      }
    }
    round_.emplace_back(turn.slot.unit, turn.slot.back);
  } else {
    for (const TensorShape& shape : turn.slot.forward) {
      turn.received.push_back(room(shape));
      group.push_back({index_ - 1, Direction::receive, bytes_of(turn.received.back())});
    }
  }
  for (const at::Tensor& tensor : std::exchange(outgoing_, {})) {
    group.push_back({last() ? 0 : index_ + 1, Direction::send, bytes_of(tensor)});
  }
  if (!group.empty()) turn.transfer = replica_.start(std::move(group));
  turn.step = Turn::Step::posted;
  return true;
}

bool PipelineEngine::arrive() {
  Turn& turn = *turn_;
  if (turn.transfer && !replica_.follow(*turn.transfer)) return false;
  if (turn.returned_unit) {
    if (RingUnit* unit = held(*turn.returned_unit); unit != nullptr && unit->session)
      unit->session->state = turn.returned;
  }
  turn.step = Turn::Step::admitting;
  ++slices_done_;
  return true;
}

bool PipelineEngine::run_turn() {
  Turn& turn = *turn_;
  while (turn.next == turn.slices.size()) {
    if (turn.step == Turn::Step::done) {
      end_turn();
      return true;
    }
    plan_work();
  }
  RingUnit& unit = *held(turn.slot.unit);
  const auto failed = failure_of([&] {
    Slice& slice = turn.slices[turn.next++];
    times_.phase(slice.phase);
    slice.run();
    in_flight_.emplace_back();
    in_flight_.back().record(model_.device());
  });
  if (failed) fail(unit, *failed);
  return true;
}

/// The slices of the next verbs; the session is up to date once the earlier ones have run.
void PipelineEngine::plan_work() {
  Turn& turn = *turn_;
  const ring::Slot& slot = turn.slot;
  turn.slices.clear();
  turn.next = 0;
  if (turn.step == Turn::Step::admitting) {
    turn.step = Turn::Step::working;
    if (slot.kind != ring::SlotKind::work) return;
    times_.begin(slot.number, slot.unit, slot.half, slot.pass);
    turn.timed = true;
    if (first() || !slot.admits) return;
    auto unit = std::make_shared<RingUnit>();
    unit->unit = decode_unit(*slot.admits);
    held_.emplace(slot.unit, unit);
    const auto failed =
        failure_of([&] { unit->session = model_.begin_later(open_items(unit->unit), slot.note, turn.slices); });
    if (failed) fail(*unit, *failed);
    return;
  }
  turn.step = Turn::Step::done;
  RingUnit* unit = slot.kind == ring::SlotKind::work ? held(slot.unit) : nullptr;
  if (unit == nullptr || !unit->session) return;
  Session& session = *unit->session;
  if (first()) {
    if (!std::exchange(unit->entered, true)) {
      unit->side->clock.end_event().block_current_stream();
      device::keep_for_current_stream(session.state);
    }
    model_.enter(session, slot.half, turn.slices);
  } else {
    session.hidden = turn.received.at(0);
    session.side.assign(turn.received.begin() + 1, turn.received.end());
  }
  model_.layers(session, slot.half, model_.own_layers(), turn.slices);
  if (last()) model_.leave(session, slot.half, turn.slices);
  if (slot.last_half && last()) model_.advance(session, turn.slices);
  if (slot.last_half && !last()) model_.follow(session, turn.slices);
}

/// Tensors made beside the ring may still be in use: the session goes when the device is done with it.
void PipelineEngine::fail(RingUnit& unit, const std::string& why) {
  turn_->slices.clear();
  turn_->next = 0;
  unit.error = why;
  auto remains = std::make_shared<RingUnit>();
  remains->session = std::move(unit.session);
  retired_.emplace_back(std::move(remains), device::Event{});
  retired_.back().second.record(model_.device());
  if (!first()) replica_.send(0, ring::encode(ring::Trouble{unit.unit.index, why}));
}

void PipelineEngine::end_turn() {
  const ring::Slot& slot = turn_->slot;
  if (turn_->timed) times_.end();
  switch (slot.kind) {
    case ring::SlotKind::empty: break;
    case ring::SlotKind::work: {
      keep_output();
      RingUnit& unit = *held(slot.unit);
      if (slot.last_half && slot.last_pass) {
        end_unit();
      } else if (first() && slot.last_half && unit.session) {
        schedule_.set_halves(slot.unit, unit.session->halves);
      }
      break;
    }
    case ring::SlotKind::finish: end_unit(); break;
    case ring::SlotKind::drop:
      if (last()) {
        const RingUnit* unit = held(slot.unit);
        Unit dropped = unit != nullptr ? unit->unit : decode_unit(slot.admits.value());
        close_items(dropped, slot.error);
        std::vector<Result> results = results_of_all(dropped, {});
        finished_.push_back({std::move(dropped), std::move(results), times_.take_unit(slot.unit).seconds});
      }
      retire(slot.unit);
      break;
    case ring::SlotKind::stop:
      if (!first()) replica_.send(0, ring::encode(ring::Stopped{}));
      stopped_ = true;
      break;
  }
  turn_.reset();
}

/// What the slot made goes on in the next beat, in the declared shapes whatever has happened.
void PipelineEngine::keep_output() {
  const ring::Slot& slot = turn_->slot;
  Session* session = held(slot.unit)->session.get();
  std::vector<TensorShape> declared;
  if (!last()) declared = slot.forward;
  if (last() && slot.back) declared = {*slot.back};
  if (session != nullptr && !last()) {
    outgoing_ = std::exchange(session->side, {});
    outgoing_.insert(outgoing_.begin(), std::exchange(session->hidden, {}));
    outgoing_.resize(std::min(outgoing_.size(), declared.size()));
  } else if (session != nullptr && slot.back) {
    outgoing_ = {session->state};
  } else {
    for (const TensorShape& shape : declared) outgoing_.push_back(room(shape).zero_());
  }
  for (std::size_t i = 0; i < declared.size(); ++i) {
    if (i < outgoing_.size() && outgoing_[i].defined() && shape_of(outgoing_[i]) == declared[i]) continue;
    throw Error(ExitCode::internal, unit_name(slot.unit) + ": stage " + std::to_string(index_) +
                                        " made something else than what slot " + std::to_string(slot.number) +
                                        " declares");
  }
}

/// Behind the last slot of a unit.
void PipelineEngine::end_unit() {
  const std::uint64_t number = turn_->slot.unit;
  if (!last()) {
    replica_.send(stages_ - 1, ring::encode(ring::Verdict{number, held(number)->error}));
    retire(number);
    return;
  }
  results_.add(std::move(held_.extract(number).mapped()));
}

void PipelineEngine::retire(std::uint64_t number) {
  auto node = held_.extract(number);
  if (node.empty()) return;
  std::shared_ptr<RingUnit> unit = std::move(node.mapped());
  if (first() && unit->side->complete()) times_.add_side(number, unit->side->clock);
  if (!last()) times_.take_unit(number);
  retired_.emplace_back(std::move(unit), device::Event{});
  retired_.back().second.record(model_.device());
}

}  // namespace trireme
