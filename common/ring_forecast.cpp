#include "common/ring_forecast.h"

#include <algorithm>
#include <utility>

#include "common/ring_schedule.h"

namespace trireme {
namespace {

constexpr int kNobody = -1;

/// Slots as stage 0 would give them, and what each stage does in them.
struct Beats {
  SlotSeconds own;
  std::vector<bool> admits;    // of a slot: a unit's first
  std::vector<int> finishers;  // of a slot that is a unit's last: the stage that decodes; else kNobody
  /// The stage that the state which rides with a slot is for, or kNobody.
  int rider(std::size_t slot) const {
    const std::size_t stages = own.size();
    if (slot < stages || slot >= admits.size()) return kNobody;
    const int stage = finishers[slot - stages];
    return stage + 1 == static_cast<int>(stages) ? kNobody : stage;
  }
};

Beats lay_out(const UnitCost& work, const RingPlan& plan) {
  const int stages = static_cast<int>(plan.cuts.size()) - 1;
  std::vector<const UnitCost::Pass*> passes;
  for (const UnitCost::Pass& pass : work.passes)
    passes.insert(passes.end(), static_cast<std::size_t>(pass.count), &pass);
  Beats beats;
  beats.own.resize(static_cast<std::size_t>(stages));
  if (passes.empty()) return beats;
  RingSchedule schedule(stages, plan.micro_batches);
  std::vector<std::size_t> at(static_cast<std::size_t>(plan.units), 0);  // the pass that each unit is in
  const bool text = work.tokens > 0;
  int next = 0;
  while (next < plan.units || schedule.must_turn()) {
    const int places = text ? 1 : passes.front()->slots;
    if (next < plan.units && schedule.has_room(places)) {
      schedule.admit(static_cast<std::uint64_t>(next++), passes.front()->slots, places);
    }
    const auto entry = schedule.next();
    beats.admits.push_back(entry && at[entry->unit] == 0 && entry->half == 0);
    beats.finishers.push_back(kNobody);
    for (std::size_t stage = 0; stage < beats.own.size(); ++stage) {
      beats.own[stage].push_back(entry ? slot_seconds(work, *passes[at[entry->unit]], plan.cuts, stage) : -1);
    }
    if (!entry) {
      schedule.pass_over();
      continue;
    }
    schedule.enter(*entry);
    if (!entry->last_half) continue;
    if (++at[entry->unit] == passes.size()) {
      beats.finishers.back() = schedule.next_finisher();
      schedule.leave(entry->unit, beats.finishers.back());
    } else {
      schedule.set_halves(entry->unit, passes[at[entry->unit]]->slots);
    }
  }
  return beats;
}

/// Up to `most` of what is left; returns how much.
double take(double& left, double most) {
  const double taken = std::min(left, most);
  left -= taken;
  return taken;
}

}  // namespace

// Stages meet in the group that opens a beat: a stage waits for the one before it where a slot comes in, and for the
// one behind it where a slot goes out. Encoding and decoding run while a stage waits; a prompt must be encoded before
// its unit enters, and what each stage has left to decode at the end is a slot of its own.
RingForecast forecast(const UnitCost& work, const RingPlan& plan) {
  RingForecast result;
  const std::size_t stages = plan.cuts.size() - 1;
  result.one_rank_seconds = plan.units * work.total();
  if (plan.units == 0 || stages == 1) {
    result.seconds = result.one_rank_seconds;
    return result;
  }
  Beats beats = lay_out(work, plan);
  const std::size_t slots = beats.admits.size(), last = stages - 1;
  const auto full = [&](std::size_t stage, std::size_t slot) { return beats.own[stage][slot] >= 0; };
  std::vector<double> ready(stages, 0), decoding(stages, 0);  // of each stage: its stream is free; left beside it
  double encoding = 0;                                        // left beside the first stage
  int admitted = 0;
  for (std::size_t beat = 0; beat + 1 < slots + stages; ++beat) {
    const std::vector<double> before = ready;
    for (std::size_t stage = 0; stage < stages; ++stage) {
      if (beat < stage || beat - stage >= slots) continue;
      const std::size_t slot = beat - stage;
      const int at = static_cast<int>(stage);
      const bool in = (full(stage, slot) && (stage > 0 || slot >= stages)) || beats.rider(slot) >= at;
      const bool out = slot > 0 && ((full(stage, slot - 1) && stage < last) || beats.rider(slot - 1) > at);
      double start = before[stage];
      if (in) start = std::max(start, before[stage > 0 ? stage - 1 : last]);
      if (out) start = std::max(start, before[stage + 1]);
      double idle = start - before[stage];
      if (stage == 0) idle -= take(encoding, idle);
      take(decoding[stage], idle);
      if (in || out) start += plan.transfer_seconds;
      if (stage == 0 && beats.admits[slot]) {
        start += std::exchange(encoding, ++admitted < plan.units ? work.encode : 0);
      }
      ready[stage] = start + std::max(0.0, beats.own[stage][slot]);
      if (beats.rider(slot) == at || (stage == last && beats.finishers[slot] == at)) decoding[stage] += work.decode;
    }
  }
  for (std::size_t stage = 0; stage < stages; ++stage) {
    beats.own[stage].resize(slots + stages, -1);
    if (decoding[stage] > 0) beats.own[stage][slots + last - stage] = decoding[stage];  // one beat behind all others
    result.seconds = std::max(result.seconds, ready[stage] + decoding[stage]);
  }
  result.loss = ring_loss(beats.own, result.seconds);
  return result;
}

}  // namespace trireme
