#pragma once
// Which thread of a gated product's tile holds which sum, and where in shared memory its outputs wait for their way
// out: plain CuTe, so that a test runs it for every thread on the host.

#include "cute/atom/mma_atom.hpp"
#include "cute/atom/mma_traits_sm90_gmma.hpp"
#include "cute/tensor.hpp"
#include "cutlass/bfloat16.h"
#include "worker/kernels/gated_tiles.h"
#include "worker/kernels/pair_order.h"

namespace trireme::kernels {

/// Two warpgroups share a tile: of each 128 rows of the weight the first has 64, 16 a warp.
template <std::size_t index>
struct GatedStaging {
  using Element = cutlass::bfloat16_t;
  static constexpr GatedTile kTile = kGatedTiles[index];
  using Tile = cute::Shape<cute::Int<kTile.weight_rows>, cute::Int<kTile.rows>, cute::_64>;
  using Mma = decltype(cute::make_tiled_mma(cute::SM90::GMMA::ss_op_selector<Element, Element, float, Tile>(),
                                            cute::Layout<cute::Shape<cute::_2, cute::_1, cute::_1>>{}));
  static constexpr int kWarpgroups = 2;
  static constexpr int kOutputs = 32;                                                          // of 64 rows
  static constexpr int kRows = decltype(cute::size<1>(typename Mma::AtomShape_MNK{}))::value;  // of x, an instruction
  /// A buffer: a row of x has its 32 outputs, 64 bytes, in four places that change with the row, by the 64 bytes'
  /// swizzle of TMA.
  using Buffer = decltype(cute::tile_to_shape(cute::GMMA::Layout_MN_SW64_Atom<Element>{},
                                              cute::Shape<cute::Int<kOutputs>, cute::Int<kRows>>{}));
};

/// Rows of x in one of stmatrix's matrices: 8 of them, with 8 outputs each.
inline constexpr int kStagedRows = 8;
inline constexpr int kStagedBytes = kStagedRows * 64;

/// Byte of a buffer where the lane of a warp says that a row of its matrix goes: row lane % 8 of matrix lane / 8, the
/// warp's eight outputs. The next matrices are kStagedBytes further.
constexpr int staged_place(int warp, int lane) { return lane * 64 + (warp ^ (lane / 2 % 4)) * 16; }

}  // namespace trireme::kernels
