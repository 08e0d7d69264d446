#pragma once
// Where a thread of the gated product's tile finds the pairs of its accumulators: plain CuTe, so that a test runs it
// for every thread of a tile on the host.

#include "cute/atom/mma_atom.hpp"
#include "cute/atom/mma_traits_sm90_gmma.hpp"
#include "cute/tensor.hpp"

namespace trireme::kernels {

/// Two warpgroups share a tile of 128 x 256.
using GatedTile = cute::Shape<cute::_128, cute::_256, cute::_64>;
using GatedTileMma =
    decltype(cute::make_tiled_mma(cute::SM90_64x256x16_F32BF16BF16_SS<cute::GMMA::Major::K, cute::GMMA::Major::K>{},
                                  cute::Layout<cute::Shape<cute::_2, cute::_1, cute::_1>>{}));

/// Calls use(pair) for every store of a thread: pair(j, half) is the coordinate, in its accumulators, of a (0) or b (1)
/// of the store's j-th output.
template <class Layout, class Use>
CUTE_HOST_DEVICE void each_store(Layout const& layout, Use use) {
  using namespace cute;
  static_assert(is_static<Layout>::value, "the accumulators' layout is known");
  static_assert(rank(Layout{}) == 3, "((2, 2, N / 8), tiles of M, tiles of N)");
  static_assert(size<0, 0>(Layout{}) == 2 && size<0, 1>(Layout{}) == 2 && size<0, 2>(Layout{}) % 8 == 0,
                "wgmma's accumulator, whole periods");
  CUTE_UNROLL
  for (int m = 0; m < size<1>(Layout{}); ++m) {
    CUTE_UNROLL
    for (int lower = 0; lower < 2; ++lower) {
      CUTE_UNROLL
      for (int n = 0; n < size<2>(Layout{}); ++n) {
        CUTE_UNROLL
        for (int period = 0; period < size<0, 2>(Layout{}) / 8; ++period) {
          use([=](int j, int half) { return make_coord(make_coord(half, lower, 8 * period + j), m, n); });
        }
      }
    }
  }
}

}  // namespace trireme::kernels
