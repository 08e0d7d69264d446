#include "worker/engine/overlapped.h"

#include <utility>

#include "worker/engine/unit_items.h"

namespace trireme {
namespace {

constexpr int kPassesAhead = 2;  // before the end of one unit's steps the next unit begins: until then it can go back

}  // namespace

struct OverlappedEngine::InHand {
  InHand(Unit u, at::Device device) : unit(std::move(u)), clock(device) {}
  Unit unit;
  std::unique_ptr<Session> session;  // of the items that can be made; null once all have failed
  std::shared_ptr<SideWork::Task> encoding, decoding;
  Slices slices;  // of the present pass
  std::size_t next = 0;
  PhaseClock clock;  // of the steps
  std::vector<Result> results;
};

OverlappedEngine::OverlappedEngine(Model& model, Settings settings)
    : model_(model),
      settings_(settings),
      in_flight_(model.device()),
      span_log_(model.device()),
      side_(model.device()) {}
OverlappedEngine::~OverlappedEngine() = default;

bool OverlappedEngine::idle() const {
  return waiting_.empty() && !ahead_ && !current_ && leaving_.empty() && finished_.empty();
}

bool OverlappedEngine::progress() {
  bool active = collect();
  prepare();
  const auto deadline = std::chrono::steady_clock::now() + settings_.pass_budget;
  while (in_flight_.size() < settings_.slices_in_flight && step()) {
    active = true;
    prepare();
    if (std::chrono::steady_clock::now() >= deadline) break;
  }
  active = side_.progress(settings_.side_slices_in_flight, deadline) || active;
  return collect() || active;
}

/// Begins the next unit beside the last passes of the one whose steps are under way.
void OverlappedEngine::prepare() {
  if (ahead_ || waiting_.empty()) return;
  if (current_ && current_->session->passes - current_->session->pass > kPassesAhead) return;
  span_log_.start();
  ahead_ = std::make_unique<InHand>(std::move(waiting_.front()), model_.device());
  waiting_.pop_front();
  ahead_->encoding = begin_beside(side_, model_, ahead_->unit, ahead_->session);
}

/// The next slice of the steps; false where there is none yet.
bool OverlappedEngine::step() {
  if (!current_ && !adopt()) return false;
  if (current_->next == current_->slices.size() && !plan_more()) {
    leave("");
    return true;
  }
  const auto failed = failure_of([&] {
    Slice& slice = current_->slices[current_->next++];
    current_->clock.enter(slice.phase);
    slice.run();
    in_flight_.add();
  });
  if (failed) leave(*failed);
  return true;
}

/// A unit that was encoded takes its steps.
bool OverlappedEngine::adopt() {
  if (!ahead_ || !ahead_->encoding->enqueued) return false;
  current_ = std::move(ahead_);
  const std::string error = current_->encoding->error;
  if (!error.empty() || !current_->session) {
    leave(error);
    return false;
  }
  current_->encoding->clock.end_event().block_current_stream();
  device::keep_for_current_stream(current_->session->state);  // the first step replaces it; the rest stays
  return true;
}

bool OverlappedEngine::plan_more() {
  Session& session = *current_->session;
  current_->slices.clear();
  current_->next = 0;
  if (session.done()) return false;
  plan_pass(model_, session, current_->slices);
  return true;
}

/// Behind the last step, or where the unit has failed. What was made beside the steps and failed in them goes when the
/// device is done with it.
void OverlappedEngine::leave(const std::string& error) {
  InHand& unit = *current_;
  unit.clock.end();
  unit.slices.clear();
  if (!error.empty()) close_items(unit.unit, error);
  if (error.empty() && unit.session) {
    unit.decoding =
        side_.add([this, one = &unit](Slices& slices) { model_.finish(*one->session, slices, one->results); });
  }
  leaving_.push_back(std::move(current_));
}

bool OverlappedEngine::complete(const InHand& unit) const {
  return unit.clock.ended() && unit.encoding->complete() && (!unit.decoding || unit.decoding->complete());
}

bool OverlappedEngine::collect() {
  bool any = in_flight_.collect();
  while (!leaving_.empty() && complete(*leaving_.front())) {
    finished_.push_back(conclude(*leaving_.front()));
    leaving_.pop_front();
    any = true;
  }
  return any;
}

Finished OverlappedEngine::conclude(InHand& unit) {
  Finished finished;
  keep_times(unit, finished.seconds);
  add_to(seconds_, finished.seconds);
  if (unit.decoding && !unit.decoding->error.empty()) {
    unit.results.clear();
    close_items(unit.unit, unit.decoding->error);
  }
  for (Result& result : unit.results) {
    if (const auto complete = std::exchange(result.complete, {})) complete(result);
    device::keep_for_current_stream(result.picture);  // made beside the steps, packed on this stream
    for (const auto& [name, tensor] : result.tensors) device::keep_for_current_stream(tensor);
  }
  finished.results = results_of_all(unit.unit, std::move(unit.results));
  finished.unit = std::move(unit.unit);
  return finished;
}

void OverlappedEngine::keep_times(const InHand& unit, PhaseSeconds& seconds) {
  const auto keep = [&](const PhaseClock& clock) {
    clock.for_each([&](Phase phase, const device::Event& begin, const device::Event& end) {
      seconds[static_cast<std::size_t>(phase)] += end.seconds_since(begin);
      span_log_.add(phase, unit.unit.index, begin, end);
    });
  };
  keep(unit.encoding->clock);
  keep(unit.clock);
  if (unit.decoding) keep(unit.decoding->clock);
}

}  // namespace trireme
