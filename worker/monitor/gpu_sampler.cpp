#include "worker/monitor/gpu_sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>
#include <utility>

namespace trireme {
namespace {

using Question = Nvml::Question;

constexpr double kCheap = GpuSampler::kBudget / 32;  // 50 us: no round trip to the GPU

struct Kind {
  Question question;
  const char* name;
  std::int64_t every;
};
/// Counters lose nothing by being read rarely.
constexpr std::array<Kind, 8> kKinds = {{{Question::energy, "energy", 300},
                                         {Question::ecc, "ecc", 60},
                                         {Question::memory, "memory", 1},
                                         {Question::temperature, "temperature", 1},
                                         {Question::clock, "clock", 1},
                                         {Question::utilization, "utilization", 1},
                                         {Question::power, "power", 1},
                                         {Question::throttling, "throttling", 1}}};

bool is_counter(Question question) { return question == Question::energy || question == Question::ecc; }

double to_milliseconds(double seconds) { return std::round(seconds * 1e3) / 1e3; }

}  // namespace

bool GpuSampler::Turn::dear() const { return cost > kCheap; }

GpuSampler::GpuSampler(Nvml nvml, Clocks clocks)
    : nvml_(std::move(nvml)), clocks_(std::move(clocks)), gpus_(nvml_.gpus()) {
  for (const Kind& kind : kKinds) {
    for (std::size_t gpu = 0; gpu < gpus_.size(); ++gpu) turns_.push_back({gpu, kind.question, kind.name, kind.every});
  }
}

double GpuSampler::ask(Turn& turn) {
  const double before = clocks_.cpu();
  turn.answered = nvml_.ask(turn.gpu, turn.question, gpus_[turn.gpu]);
  const double spent = clocks_.cpu() - before;
  turn.asked = sample_;
  turn.asked_seconds = now_;
  turn.due = sample_ + turn.every;
  turn.cost = std::max(spent, turn.cost / 2);  // an answer from the driver's cache says little of the next one
  return spent;
}

void GpuSampler::ask_in_turn() {
  credit_ = std::min(credit_, 0.0) + kBudget;
  std::stable_sort(turns_.begin(), turns_.end(), [](const Turn& a, const Turn& b) {
    return std::tuple(a.dear(), a.due) < std::tuple(b.dear(), b.due);
  });
  for (Turn& turn : turns_) {
    if (turn.asked == sample_) continue;
    if (turn.dear() && turn.due > sample_) break;
    // Cheap ones may borrow from the next sample. Dear ones need no more than half a budget, or some had never a turn.
    const double needed = turn.dear() ? std::min(turn.cost, kBudget / 2) : turn.cost - kBudget;
    if (needed <= credit_) credit_ -= ask(turn);
  }
}

std::vector<GpuSample> GpuSampler::sample(bool counters) {
  ++sample_;
  now_ = clocks_.steady();
  for (Turn& turn : turns_) {
    if (turn.asked != kNever && !(counters && is_counter(turn.question))) continue;
    ask(turn);
    // Not all GPUs' counters at once the next time.
    turn.due = sample_ + turn.every * static_cast<std::int64_t>(turn.gpu + 1) / static_cast<std::int64_t>(gpus_.size());
  }
  ask_in_turn();
  for (GpuSample& gpu : gpus_) gpu.age_seconds.clear();
  for (const Turn& turn : turns_) {
    if (!turn.answered || turn.asked == sample_) continue;
    gpus_[turn.gpu].age_seconds[turn.name] = to_milliseconds(now_ - turn.asked_seconds);
  }
  return gpus_;
}

}  // namespace trireme
