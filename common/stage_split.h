#pragma once
// Where the layers of a model are cut over the stages of a pipeline. A cut may fall behind the attention half or the
// feed-forward half of a layer: cuts count half layers, [0, ..., 2 x layers]. Rank 0 and `trireme plan`.

#include <string>
#include <vector>

#include "common/job.h"
#include "common/unit_cost.h"

namespace trireme {

/// Seconds that a stage works for a unit, in the ring and beside it.
double stage_seconds(const UnitCost& cost, const std::vector<int>& cuts, std::size_t stage);

/// The cuts that make the busiest stage's work least. Each stage gets at least half a layer.
std::vector<int> cut_by_cost(const UnitCost& cost, int stages);
/// parallel.split, else by cost. Throws ConfigError naming numbers and the job file: more stages than layers, or a
/// split of other stages or layers.
std::vector<int> stage_cuts(const Job& job, const UnitCost& cost);

/// "8, 7.5, 7, 7.5": layers of each stage.
std::string split_text(const std::vector<int>& cuts);

}  // namespace trireme
