#include "common/ring_loss.h"

#include <algorithm>

namespace trireme {

RingLoss ring_loss(const RingSlots& ring, double seconds) {
  const std::size_t stages = ring.own.size();
  if (stages == 0 || seconds <= 0) return {};
  std::size_t slots = 0;
  for (const auto& stage : ring.own) slots = std::max(slots, stage.size());
  std::vector<double> free(stages, 0), back(slots, 0);  // when each stage is; when each slot is done at the last stage
  std::vector<bool> behind_empty(stages, true);
  double busy = 0, fill = 0, imbalance = 0;
  for (std::size_t slot = 0; slot < slots; ++slot) {
    double there = 0;
    if (slot >= stages && slot - stages < ring.returns.size() && ring.returns[slot - stages]) {
      there = back[slot - stages];
    }
    for (std::size_t stage = 0; stage < stages; ++stage) {
      const double own = slot < ring.own[stage].size() ? ring.own[stage][slot] : -1;
      if (own < 0) {
        behind_empty[stage] = true;
        there = 0;
        continue;
      }
      const double begin = std::max(free[stage], there);
      (behind_empty[stage] ? fill : imbalance) += begin - free[stage];
      behind_empty[stage] = false;
      busy += own;
      there = free[stage] = begin + own;
    }
    back[slot] = there;
  }
  const double end = *std::max_element(free.begin(), free.end());
  for (const double one : free) fill += end - one;
  const double all = static_cast<double>(stages) * seconds;
  return {fill / all, imbalance / all, (all - busy - fill - imbalance) / all};
}

}  // namespace trireme
