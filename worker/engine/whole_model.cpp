#include "worker/engine/whole_model.h"

#include <algorithm>
#include <utility>

#include "common/log.h"

namespace trireme {

WholeModelEngine::WholeModelEngine(Model& model, Settings settings)
    : model_(model), settings_(settings), in_flight_(model.device()), span_log_(model.device()) {}
WholeModelEngine::~WholeModelEngine() = default;

bool WholeModelEngine::idle() const {
  return waiting_.empty() && short_.empty() && current_.empty() && completing_.empty() && finished_.empty();
}

bool WholeModelEngine::progress() {
  bool active = collect();
  const auto deadline = std::chrono::steady_clock::now() + settings_.pass_budget;
  while (in_flight_.size() < settings_.slices_in_flight && fill()) {
    run_slice();
    active = true;
    if (std::chrono::steady_clock::now() >= deadline) break;
  }
  return collect() || active;
}

/// Units to work on, if there may be any now. They enter together: one that came later would need the layers of the
/// encoding for itself.
bool WholeModelEngine::fill() {
  if (!current_.empty()) return true;
  if (!short_.empty()) {
    if (!in_flight_.empty() || !completing_.empty()) return false;
    device::free_caches(model_.device());
    auto unit = std::move(short_.front());
    short_.pop_front();
    take_up(std::move(unit));
    return true;
  }
  while (current_.size() < settings_.units_at_once && !waiting_.empty()) {
    span_log_.start();
    auto unit = std::make_unique<UnitInHand>(std::move(waiting_.front()), model_,
                                             UnitInHand::Settings{settings_.degrade, settings_.tried_before});
    waiting_.pop_front();
    take_up(std::move(unit));
  }
  return !current_.empty();
}

void WholeModelEngine::take_up(std::unique_ptr<UnitInHand> unit) {
  const bool begun = unit->begin();
  current_.push_back(std::move(unit));
  if (!begun) set_aside(current_.size() - 1);
}

/// Memory was short for it.
void WholeModelEngine::set_aside(std::size_t place) {
  short_.push_back(std::move(current_[place]));
  current_.erase(current_.begin() + static_cast<std::ptrdiff_t>(place));
}

/// Who goes on: a unit that needs the layer that is here; else one that needs none; else the first in the circle of
/// layers, so that all who wait for a layer have taken it before the next one comes.
std::size_t WholeModelEngine::choose() {
  if (current_.size() == 1) return 0;
  std::vector<int> layers;
  for (const auto& unit : current_) {
    const Slice* slice = unit->next();
    if (slice == nullptr) return layers.size();
    layers.push_back(slice->layer);
  }
  const auto first = [&](int layer) { return std::find(layers.begin(), layers.end(), layer); };
  auto found = first(layer_);
  if (found == layers.end()) found = first(kResident);
  if (found == layers.end()) {
    const auto further = [this](int a, int b) { return std::pair(a <= layer_, a) < std::pair(b <= layer_, b); };
    found = std::min_element(layers.begin(), layers.end(), further);
  }
  return static_cast<std::size_t>(found - layers.begin());
}

void WholeModelEngine::run_slice() {
  if (current_.empty()) return;  // memory was short for all that were taken up
  const std::size_t place = choose();
  UnitInHand& unit = *current_[place];
  const Slice* slice = unit.next();
  if (slice == nullptr) return unit.waits_for_memory() ? set_aside(place) : complete(place);
  if (slice->layer != kResident) layer_ = slice->layer;
  if (at_work_ != unit.index()) {
    for (const auto& other : current_) {
      if (other->index() == at_work_) other->pause();
    }
    at_work_ = unit.index();
  }
  const bool enough = unit.run();
  in_flight_.add();
  if (!enough) return set_aside(place);
  if (unit.next() == nullptr) return unit.waits_for_memory() ? set_aside(place) : complete(place);
}

/// All of it is enqueued.
void WholeModelEngine::complete(std::size_t place) {
  current_[place]->end();
  completing_.push_back(std::move(current_[place]));
  current_.erase(current_.begin() + static_cast<std::ptrdiff_t>(place));
}

std::uint64_t WholeModelEngine::tokens_done() const {
  std::uint64_t sum = tokens_done_;
  for (const auto& unit : current_) sum += unit->tokens();
  for (const auto& unit : completing_) sum += unit->tokens();
  return sum;
}

bool WholeModelEngine::collect() {
  bool any = in_flight_.collect();
  while (!completing_.empty() && completing_.front()->ended()) {
    UnitInHand& unit = *completing_.front();
    tokens_done_ += unit.tokens();
    unit.for_each_phase([&](Phase phase, const device::Event& begin, const device::Event& end) {
      span_log_.add(phase, unit.index(), begin, end);
    });
    finished_.push_back(unit.finished());
    add_to(seconds_, finished_.back().seconds);
    completing_.pop_front();
    any = true;
  }
  return any;
}

}  // namespace trireme
