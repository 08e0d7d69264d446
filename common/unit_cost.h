#pragma once
// What a model does for the typical unit of a job, as device seconds, cut as a pipeline cuts it. Pure.

#include <vector>

#include "common/cost_model.h"
#include "common/item.h"
#include "common/model_shape.h"

namespace trireme {

inline constexpr int kFakeLayers = 4;  // of the fake families

/// Main layers of a model: what a pipeline cuts.
int layers_of(const ModelShape& shape);

/// What a model does for the mean unit, in device seconds.
struct UnitCost {
  struct Pass {
    int count = 0;  // passes of this kind, one behind the other
    int slots = 1;  // of each: halves of guidance, prompts of a text batch
    double enter = 0, leave = 0, attention = 0, feed_forward = 0;  // of one slot; the last two of one layer
  };
  double encode = 0, decode = 0;  // beside the ring
  std::vector<Pass> passes;
  int layers = 0;

  double tokens = 0;  // that the unit writes

  double total(const Pass& pass) const;  // of all of its slots
  double total() const;
};

/// What was measured over what the shapes say, for each phase; 1: trust the shapes.
struct PhaseScale {
  double encode = 1, prefill = 1, denoise = 1, decode = 1;
};

/// The item in the middle of all by its work, stretched to their mean; `batch` of them make a unit.
UnitCost unit_cost(const ModelShape& shape, const std::vector<Item>& items, int batch, const DeviceRates& rates,
                   const PhaseScale& scale = {});

/// Seconds of one slot of each kind of pass on stage `index` of `cuts` (in half layers).
double slot_seconds(const UnitCost& work, const UnitCost::Pass& pass, const std::vector<int>& cuts, std::size_t index);

}  // namespace trireme
