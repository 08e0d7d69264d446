#pragma once
// How long a pipeline will take, beat by beat, from what each stage does for the mean unit. Pure: `plan` shows it, and
// it stands beside what was measured.

#include <optional>
#include <vector>

#include "common/ring_loss.h"
#include "common/unit_cost.h"

namespace trireme {

struct RingPlan {
  std::vector<int> cuts;  // in half layers
  int units = 0;          // through one replica
  std::optional<int> micro_batches;
  double transfer_seconds = 0;  // from stage to stage, of one slot
};

struct RingForecast {
  double seconds = 0;           // from the first entry, behind the first encoding, to the last decode
  double one_rank_seconds = 0;  // the same work without a pipeline
  RingLoss loss;
  /// Of so many ranks, against one.
  double efficiency(std::size_t stages) const {
    return seconds > 0 ? one_rank_seconds / (static_cast<double>(stages) * seconds) : 1;
  }
};

RingForecast forecast(const UnitCost& work, const RingPlan& plan);

}  // namespace trireme
