#include "worker/dispatch/work_estimate.h"

#include <algorithm>

namespace trireme {

UnitWork work_of(const Unit& unit, const ModelShape& shape, const DeviceRates& rates) {
  UnitWork work{0, 0, 0};
  for (const Item& item : unit.items) {
    const Lengths lengths = guess_lengths(item);
    ItemCost cost = cost_of(shape, item, lengths);
    if (shape.language) {
      const double token = seconds(cost.passes.back().total(), rates);
      work.token_seconds = std::max(work.token_seconds, token);
      work.most_tokens = std::max(work.most_tokens, lengths.new_tokens);
      cost.passes.pop_back();
    }
    work.seconds += seconds(cost, rates);
  }
  return work;
}

std::vector<UnitWork> work_of(const std::vector<Unit>& units, const ModelShape& shape, const DeviceRates& rates) {
  std::vector<UnitWork> work;
  work.reserve(units.size());
  for (const Unit& unit : units) work.push_back(work_of(unit, shape, rates));
  return work;
}

}  // namespace trireme
