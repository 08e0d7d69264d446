#include "common/ring_forecast.h"

#include <algorithm>
#include <utility>

#include "common/ring_schedule.h"

namespace trireme {
namespace {

constexpr int kPreparedAhead = 2;  // units that are encoded and not in the ring
// What decoding takes beside a slot, of the slot's own time: from timelines of pictures on four H200s, whose slots of
// 23 ms took up to 32.
constexpr double kDecodingBeside = 0.4;

/// What the first stage encodes beside the ring, in seconds; the first unit's before the clock starts.
class Encoding {
 public:
  Encoding(double of_a_unit, int units) : of_a_unit_(of_a_unit), units_(units), done_(of_a_unit) {}

  /// Up to so much time; returns how much.
  double use(double seconds) {
    const double most = std::min(units_, admitted_ + kPreparedAhead) * of_a_unit_;
    const double used = std::clamp(most - done_, 0.0, seconds);
    done_ += used;
    return used;
  }
  /// Of the next unit.
  double missing() const { return std::max(0.0, (admitted_ + 1) * of_a_unit_ - done_); }
  /// The next unit enters, what is missing behind it.
  void admit() {
    done_ += missing();
    ++admitted_;
  }

 private:
  const double of_a_unit_;
  const int units_;
  double done_;
  int admitted_ = 0;
};

/// The ring, slot by slot as stage 0 gives them. A slot begins at a stage once the stage is free and the one before it
/// is done with it, at the first stage once a state that comes back with it is there; what goes out waits in the
/// carrier's buffers. Encoding and decoding run while a stage waits, and take from its slots what is left: encoding as
/// much time as they, decoding less.
class Ring {
 public:
  Ring(const UnitCost& work, const RingPlan& plan)
      : work_(work),
        plan_(plan),
        stages_(plan.cuts.size() - 1),
        schedule_(static_cast<int>(stages_), plan.micro_batches),
        encoding_(work.encode, plan.units),
        at_(static_cast<std::size_t>(plan.units), 0),
        free_(stages_, 0),
        decoding_(stages_, 0) {
    for (const UnitCost::Pass& pass : work.passes)
      passes_.insert(passes_.end(), static_cast<std::size_t>(pass.count), &pass);
    slots_.own.resize(stages_);
  }

  void run() {
    if (passes_.empty()) return;
    while (next_ < plan_.units || schedule_.must_turn()) {
      admit();
      decode_what_rides();
      if (const auto entry = schedule_.next()) {
        work(*entry);
      } else {
        for (auto& stage : slots_.own) stage.push_back(-1);
        slots_.returns.push_back(false);
        finishers_.push_back(kNobody);
        back_.push_back(0);
        schedule_.pass_over();
      }
    }
  }

  /// What each stage has left to decode at the end is a slot of its own.
  void report(RingForecast& result) {
    const std::size_t slots = back_.size();
    for (std::size_t stage = 0; stage < stages_; ++stage) {
      slots_.own[stage].resize(slots + stages_, -1);
      if (decoding_[stage] > 0) slots_.own[stage][slots + stages_ - 1 - stage] = decoding_[stage];
      result.seconds = std::max(result.seconds, free_[stage] + decoding_[stage]);
    }
    result.loss = ring_loss(slots_, result.seconds);
  }

 private:
  static constexpr int kNobody = -1;

  /// A unit whose prompt is encoded; others go on meanwhile, if there are any.
  void admit() {
    const int places = work_.tokens > 0 ? 1 : passes_.front()->slots;
    if (next_ == plan_.units || !schedule_.has_room(places)) return;
    if (encoding_.missing() > 0 && !schedule_.empty()) return;
    free_[0] += encoding_.missing();
    encoding_.admit();
    schedule_.admit(static_cast<std::uint64_t>(next_++), passes_.front()->slots, places);
  }

  /// The last state of a unit comes round with the slot `stages` behind it, and rides to the stage that decodes it.
  void decode_what_rides() {
    if (back_.size() < stages_) return;
    const int finisher = finishers_[back_.size() - stages_];
    if (finisher != kNobody && finisher + 1 < static_cast<int>(stages_)) {
      decoding_[static_cast<std::size_t>(finisher)] += work_.decode;
    }
  }

  void work(const RingSchedule::Entry& entry) {
    const UnitCost::Pass& pass = *passes_[at_[entry.unit]];
    const std::size_t slot = back_.size();
    const bool returns = slot >= stages_ && slots_.returns[slot - stages_];
    double there = returns ? back_[slot - stages_] : 0;
    for (std::size_t stage = 0; stage < stages_; ++stage) {
      double own = slot_seconds(work_, pass, plan_.cuts, stage);
      const double begin = std::max(free_[stage], there);
      double idle = begin - free_[stage];
      if (stage == 0) {
        idle -= encoding_.use(idle);
        own += encoding_.use(own);
      }
      decoding_[stage] = std::max(0.0, decoding_[stage] - idle);
      const double decoded = std::min(decoding_[stage], kDecodingBeside * own);
      decoding_[stage] -= decoded;
      own += decoded;
      there = free_[stage] = begin + (stage > 0 || returns ? plan_.transfer_seconds : 0) + own;
      slots_.own[stage].push_back(own);
    }
    back_.push_back(there);
    schedule_.enter(entry);
    finishers_.push_back(entry.last_half ? next_pass(entry.unit) : kNobody);
    const bool comes_round = entry.last_half && finishers_.back() + 1 != static_cast<int>(stages_);
    slots_.returns.push_back(comes_round);
  }

  /// Who finishes the unit, if that was its last pass.
  int next_pass(std::uint64_t unit) {
    if (++at_[unit] < passes_.size()) {
      schedule_.set_halves(unit, passes_[at_[unit]]->slots);
      return kNobody;
    }
    const int finisher = schedule_.next_finisher();
    schedule_.leave(unit, finisher);
    if (finisher + 1 == static_cast<int>(stages_)) decoding_.back() += work_.decode;
    return finisher;
  }

  const UnitCost& work_;
  const RingPlan& plan_;
  const std::size_t stages_;
  RingSchedule schedule_;
  Encoding encoding_;
  std::vector<const UnitCost::Pass*> passes_;
  std::vector<std::size_t> at_;  // the pass that each unit is in
  int next_ = 0;                 // unit
  RingSlots slots_;
  std::vector<int> finishers_;    // of a slot that is a unit's last: the stage that decodes; else kNobody
  std::vector<double> back_;      // when each slot is done at the last stage
  std::vector<double> free_;      // when each stage is
  std::vector<double> decoding_;  // what each stage has left beside it
};

}  // namespace

RingForecast forecast(const UnitCost& work, const RingPlan& plan) {
  RingForecast result;
  result.one_rank_seconds = plan.units == 0 ? 0 : plan.units * work.total() - work.encode;
  if (plan.units == 0 || plan.cuts.size() == 2) {
    result.seconds = result.one_rank_seconds;
    return result;
  }
  Ring ring(work, plan);
  ring.run();
  ring.report(result);
  return result;
}

}  // namespace trireme
