#include "worker/engine/pipeline.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "common/errors.h"
#include "worker/engine/unit_items.h"

namespace trireme {
namespace {

at::Tensor bytes_of(const at::Tensor& tensor) { return tensor.contiguous().view({-1}).view(at::kByte); }

TensorShape shape_of(const at::Tensor& tensor) { return {tensor.scalar_type(), tensor.sizes().vec()}; }

std::string unit_name(std::uint64_t unit) { return "unit " + std::to_string(unit); }

}  // namespace

struct PipelineEngine::Turn {
  enum class Step { announced, posted, admitting, working, done };
  ring::Slot slot;
  Step step = Step::announced;
  std::optional<TransferId> transfer;
  std::vector<at::Tensor> received;               // of the slot
  std::optional<RingEntry::Returning> returning;  // first stage: what comes round meanwhile
  at::Tensor passing;                             // the state that comes round, or rides along
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
      entry_(model, side_, held_, stages_, settings.micro_batches),
      places_(replica, settings.exchange),
      in_flight_(model.device()),
      times_(model.device()),
      results_(model, side_, times_, stages_) {}
PipelineEngine::~PipelineEngine() = default;

void PipelineEngine::submit(Unit unit) {
  if (!first()) throw Error(ExitCode::internal, "units come in at the first stage");
  entry_.submit(std::move(unit));
}

bool PipelineEngine::idle() const {
  return entry_.idle() && held_.empty() && results_.idle() && finished_.empty() && !turn_ && outgoing_.empty() &&
         slots_.empty();
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
  return entry_.stop_sent() && !turn_ && stages_stopped_ == stages_ - 1;
}

bool PipelineEngine::progress() {
  bool active = hear();
  active = collect() || active;
  if (first()) entry_.prepare();
  const auto deadline = std::chrono::steady_clock::now() + settings_.pass_budget;
  bool more = true;
  while (in_flight_.size() < settings_.slices_in_flight && (more = step())) {
    active = true;
    if (std::chrono::steady_clock::now() >= deadline) break;
  }
  // The ring comes first: on a GPU by the priority of its stream, on a CPU beside it only while it waits.
  if (!more || model_.device().is_cuda()) active = side_.progress(settings_.side_slices_in_flight, deadline) || active;
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
    for (const ring::Transfer& transfer : slot->transfers) {
      if (transfer.stage == index_) places_.give(transfer.seq, slot->number);
    }
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
  bool any = in_flight_.collect();
  times_.collect();
  while (!retired_.empty() && retired_.front().second.done()) retired_.pop_front();
  for (auto& [unit, held] : held_) {
    if (!last() || held->ended || !held->session || !held->session->done()) continue;
    held->ended = true;
    replica_.send(0, ring::encode(ring::Ended{unit}));
  }
  return results_.collect(finished_) || any;
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
  if (!first() && slots_.empty()) {
    post_transfers();
    return false;
  }
  auto turn = std::make_unique<Turn>();
  if (first()) {
    for (const auto& [rank, seq] : places_.take_placeless()) unplaced_.push_back({rank, seq});
    auto next = entry_.next(stop_asked_, unplaced_);
    if (!next) return false;
    turn->slot = std::move(next->slot);
    turn->returning = std::move(next->returning);
    for (const ring::Transfer& transfer : turn->slot.transfers) {
      places_.give(transfer.seq, turn->slot.number);
    }
    announce(turn->slot);
  } else {
    turn->slot = std::move(slots_.front());
    slots_.pop_front();
  }
  turn_ = std::move(turn);
  return true;
}

void PipelineEngine::announce(const ring::Slot& slot) {
  const Bytes message = ring::encode(slot);
  for (int stage = 1; stage < stages_; ++stage) replica_.send(stage, message);
}

/// Halves of the exchange whose place is before our group of the coming beat; false where they must wait. Others are
/// posted in whichever order their peers please.
bool PipelineEngine::post_transfers() {
  constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();
  return places_.post_up_to(turn_ ? turn_->slot.number + static_cast<std::uint64_t>(index_) : kAll);
}

/// Our half of the beat: the slot comes in, what was made of the one before goes on. What may have its place before it
/// is known once the first stage's slot of the beat is described.
bool PipelineEngine::post_turn() {
  if (!post_transfers()) return false;
  const ring::Slot& slot = turn_->slot;
  const bool receives = !slot.forward.empty() || (slot.rider && slot.rider->stage >= index_);
  const bool posts = first() || receives || !outgoing_.empty();
  if (posts && slots_.size() < static_cast<std::size_t>(index_)) return false;
  if (!places_.flushed()) return false;
  Turn& turn = *turn_;
  if (turn.slot.kind == ring::SlotKind::work) times_.wait();
  std::vector<Half> group;
  const auto receive = [&](int from, const TensorShape& shape) {
    at::Tensor tensor = room(shape);
    group.push_back({from, Direction::receive, bytes_of(tensor)});
    return tensor;
  };
  for (const TensorShape& shape : turn.slot.forward) {
    if (!first()) turn.received.push_back(receive(index_ - 1, shape));
  }
  const auto& rider = turn.slot.rider;
  if (turn.returning) turn.passing = receive(stages_ - 1, turn.returning->state);
  if (!first() && rider && rider->stage >= index_) turn.passing = receive(index_ - 1, rider->state);
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
  if (turn.slot.rider) {
    if (turn.slot.rider->stage == index_) finish(turn.slot.rider->unit, turn.passing);
  } else if (turn.returning) {
    RingUnit* unit = held(turn.returning->unit);
    if (unit != nullptr && unit->session) unit->session->state = turn.passing;
  }
  turn.step = Turn::Step::admitting;
  ++beats_;
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
    in_flight_.add();
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
        entry_.set_halves(slot.unit, unit.session->halves);
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
  if (slot.rider && slot.rider->stage > index_) outgoing_.push_back(std::move(turn_->passing));
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

/// Behind the last slot of a unit. Its finisher keeps it until the last state is there.
void PipelineEngine::end_unit() {
  const ring::Slot& slot = turn_->slot;
  if (slot.finisher != index_) {
    replica_.send(slot.finisher, ring::encode(ring::Verdict{slot.unit, held(slot.unit)->error}));
    retire(slot.unit);
  } else if (last()) {
    results_.add(std::move(held_.extract(slot.unit).mapped()));
  }
}

void PipelineEngine::finish(std::uint64_t number, const at::Tensor& state) {
  std::shared_ptr<RingUnit> unit = std::move(held_.extract(number).mapped());
  if (unit->session) unit->session->state = state;
  if (first() && unit->side->complete()) times_.add_side(number, unit->side->clock);
  results_.add(std::move(unit));
}

void PipelineEngine::retire(std::uint64_t number) {
  auto node = held_.extract(number);
  if (node.empty()) return;
  std::shared_ptr<RingUnit> unit = std::move(node.mapped());
  if (first() && unit->side->complete()) times_.add_side(number, unit->side->clock);
  times_.take_unit(number);
  retired_.emplace_back(std::move(unit), device::Event{});
  retired_.back().second.record(model_.device());
}

}  // namespace trireme
