#include "worker/kernels/gated_tiles.h"

#include <algorithm>
#include <cmath>

#include "worker/kernels/launch.h"

namespace trireme::kernels {

std::size_t choose_gated_tile(int rows, int weight_rows, int multiprocessors) {
  const auto time = [&](const GatedTile& t) {
    const int clusters = tiles_of(weight_rows, t.weight_rows * t.cluster_weight_rows) *  //
                         tiles_of(rows, t.rows * t.cluster_rows);
    const int at_once = std::max(multiprocessors / (t.cluster_weight_rows * t.cluster_rows), 1);
    return tiles_of(clusters, at_once) * t.weight_rows * t.rows * t.effort;
  };
  const auto* const best = std::min_element(kGatedTiles.begin(), kGatedTiles.end(),
                                            [&](const auto& a, const auto& b) { return time(a) < time(b); });
  return static_cast<std::size_t>(best - kGatedTiles.begin());
}

int clusters_together(const GatedTile& tile, int rows, int in) {
  constexpr double kGroup = 16 << 20;  // bytes: 4352 rows of 3840 in two groups 0.5 % of a forward, in three nothing
  constexpr double kElement = 2;
  const int groups = std::max(1, static_cast<int>(std::lround(kElement * rows * in / kGroup)));
  return tiles_of(tiles_of(rows, tile.rows * tile.cluster_rows), groups);
}

}  // namespace trireme::kernels
