#include "common/ring_loss.h"

#include <algorithm>

namespace trireme {

RingLoss ring_loss(const SlotSeconds& own, double seconds) {
  const std::size_t stages = own.size();
  if (stages == 0 || seconds <= 0) return {};
  std::size_t slots = 0;
  for (const auto& stage : own) slots = std::max(slots, stage.size());
  double busy = 0, fill = 0, imbalance = 0;
  for (std::size_t beat = 0; beat + 1 < slots + stages; ++beat) {
    const auto at = [&](std::size_t stage) {
      return beat >= stage && beat - stage < own[stage].size() ? own[stage][beat - stage] : -1.0;
    };
    double longest = 0;
    for (std::size_t stage = 0; stage < stages; ++stage) longest = std::max(longest, at(stage));
    for (std::size_t stage = 0; stage < stages; ++stage) {
      const double one = at(stage);
      (one < 0 ? fill : imbalance) += longest - std::max(one, 0.0);
      busy += std::max(one, 0.0);
    }
  }
  const double all = static_cast<double>(stages) * seconds;
  return {fill / all, imbalance / all, (all - busy - fill - imbalance) / all};
}

}  // namespace trireme
