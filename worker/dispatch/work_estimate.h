#pragma once
// The work of units by the cost model: what the policies compare. Rank 0, before dispatch.

#include <vector>

#include "common/cost_model.h"
#include "common/item.h"
#include "worker/dispatch/predictor.h"

namespace trireme {

/// The rows of a batch of answers are written together: each token costs about what it costs one of them, and the
/// longest answer is waited for.
UnitWork work_of(const Unit& unit, const ModelShape& shape, const DeviceRates& rates);
std::vector<UnitWork> work_of(const std::vector<Unit>& units, const ModelShape& shape, const DeviceRates& rates);

}  // namespace trireme
