#include "common/stage_split.h"

#include <algorithm>
#include <limits>

#include "common/errors.h"

namespace trireme {
namespace {

std::string layers_text(int halves) { return std::to_string(halves / 2) + (halves % 2 == 1 ? ".5" : ""); }

/// Of the halves [begin, end) alone, without what the first and the last stage do beside.
double halves_seconds(const UnitCost& cost, int begin, int end) {
  const int attentions = (end + 1) / 2 - (begin + 1) / 2, feed_forwards = end / 2 - begin / 2;
  double sum = 0;
  for (const UnitCost::Pass& pass : cost.passes) {
    sum += pass.count * pass.slots * (attentions * pass.attention + feed_forwards * pass.feed_forward);
  }
  return sum;
}

[[noreturn]] void refuse(const Job& job, const std::string& fact) {
  throw ConfigError(job.file.string() + ": parallel." + fact);
}

}  // namespace

double stage_seconds(const UnitCost& cost, const std::vector<int>& cuts, std::size_t stage) {
  double sum = 0;
  if (stage == 0) sum += cost.encode;
  sum += cost.decode / static_cast<double>(cuts.size() - 1);  // stages take turns
  for (const UnitCost::Pass& pass : cost.passes) {
    sum += pass.count * pass.slots * slot_seconds(cost, pass, cuts, stage);
  }
  return sum;
}

std::vector<int> cut_by_cost(const UnitCost& cost, int stages) {
  const int halves = 2 * cost.layers;
  double enter = 0, leave = 0;
  for (const UnitCost::Pass& pass : cost.passes) {
    enter += pass.count * pass.slots * pass.enter;
    leave += pass.count * pass.slots * pass.leave;
  }
  const double even = 1e-9 * (cost.total() + 1e-12) / halves;  // equal shares where costs leave a choice
  const auto own = [&](int stage, int begin, int end) {
    return halves_seconds(cost, begin, end) + even * (end - begin) * (end - begin) +
           (stage == 0 ? cost.encode + enter : 0) + (stage == stages - 1 ? leave : 0);
  };
  // least[stage][end]: the busiest of the stages so far, when they hold the halves in front of `end`.
  const std::vector<double> never(static_cast<std::size_t>(halves) + 1, std::numeric_limits<double>::infinity());
  std::vector<std::vector<double>> least(static_cast<std::size_t>(stages), never);
  std::vector<std::vector<int>> from(least.size(), std::vector<int>(never.size(), 0));
  for (int stage = 0; stage < stages; ++stage) {
    const auto s = static_cast<std::size_t>(stage);
    for (int end = stage + 1; end <= halves; ++end) {
      const auto e = static_cast<std::size_t>(end);
      for (int begin = stage; begin < (stage == 0 ? 1 : end); ++begin) {
        const double earlier = stage == 0 ? 0 : least[s - 1][static_cast<std::size_t>(begin)];
        const double busiest = std::max(earlier, own(stage, begin, end));
        if (busiest >= least[s][e]) continue;
        least[s][e] = busiest;
        from[s][e] = begin;
      }
    }
  }
  std::vector<int> cuts(static_cast<std::size_t>(stages) + 1, 0);
  cuts.back() = halves;
  for (std::size_t s = least.size(); s-- > 1;) cuts[s] = from[s][static_cast<std::size_t>(cuts[s + 1])];
  return cuts;
}

std::vector<int> stage_cuts(const Job& job, const UnitCost& cost) {
  const int stages = job.parallel.stages, layers = cost.layers;
  if (stages > layers) {
    refuse(job, "stages: " + std::to_string(stages) + " are more than the " + std::to_string(layers) +
                    " layers of the model; use at most " + std::to_string(layers));
  }
  if (!job.parallel.split) return cut_by_cost(cost, stages);
  std::vector<int> cuts{0};
  for (const double part : *job.parallel.split) cuts.push_back(cuts.back() + static_cast<int>(part * 2));
  const std::string asked = "split: [" + split_text(cuts) + "] ";
  if (static_cast<int>(cuts.size()) != stages + 1) {
    refuse(job, asked + "is for " + std::to_string(cuts.size() - 1) + " stages, parallel.stages is " +
                    std::to_string(stages));
  }
  if (cuts.back() != 2 * layers) {
    refuse(job, asked + "are " + layers_text(cuts.back()) + " layers, the model has " + std::to_string(layers));
  }
  return cuts;
}

std::string split_text(const std::vector<int>& cuts) {
  std::string text;
  for (std::size_t i = 1; i < cuts.size(); ++i) text += (i > 1 ? ", " : "") + layers_text(cuts[i] - cuts[i - 1]);
  return text;
}

}  // namespace trireme
