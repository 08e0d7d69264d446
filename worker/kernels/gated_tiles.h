#pragma once
// The tiles by which gated_product.cu can cut up a product, and the one it takes for a shape. Every tile sums an output
// in the same order, so the choice does not show in a result.

#include <array>
#include <cstddef>

namespace trireme::kernels {

struct GatedTile {
  int weight_rows, rows;                  // of a tile: of the weight (two an output) and of x
  int cluster_weight_rows, cluster_rows;  // blocks side by side that read once what they have in common
  int stages;                             // of 64 columns of both operands in shared memory
  int buffers;                            // of each of two warpgroups, for outputs that are being written
  double effort;                          // time of a tile by its size, beside the others'
};

/// Those that were the fastest for some shape in turns of whole forwards (docs/performance.md). At the limit of power a
/// larger tile, or one whose operands are read for two, wins beyond what turns tell.
inline constexpr std::array<GatedTile, 6> kGatedTiles{{
    {256, 160, 1, 2, 3, 2, 0.985},
    {128, 336, 2, 1, 3, 2, 0.99},
    {128, 256, 2, 1, 4, 1, 1},
    {128, 272, 2, 1, 4, 1, 1},
    {128, 288, 2, 1, 3, 2, 1},
    {128, 64, 1, 1, 8, 1, 1.25},
}};

/// The one of kGatedTiles with the least time: full turns of all multiprocessors, whatever the last one holds.
std::size_t choose_gated_tile(int rows, int weight_rows, int multiprocessors);

/// Clusters of tiles along the rows of x [rows, in] that are walked for the whole weight before the next are: groups of
/// x of about a third of the L2 cache of an H100 or H200, where all of x would be read anew for every few tiles of the
/// weight.
int clusters_together(const GatedTile& tile, int rows, int in);

}  // namespace trireme::kernels
