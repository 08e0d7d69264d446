// The epilogue of gated_product.cu without a GPU: which thread of a tile holds which sum (CuTe's own layouts), and
// where stmatrix's matrices of 8 x 8 put the outputs.
#include "worker/kernels/gate_staging.cuh"

#include <gtest/gtest.h>

#include <cstddef>
#include <utility>
#include <vector>

namespace trireme::kernels {
namespace {

using namespace cute;

constexpr int kOutputs = 10240, kGroup = 128, kWarp = 32, kElement = 2, kEight = 8;

/// A thread has both sums of an output, for two neighbouring rows of x, in every matrix.
template <class Staging>
void expect_pairs(int thread) {
  const auto shape = take<0, 2>(typename Staging::Tile{});
  const typename Staging::Mma mma;
  const auto place = mma.get_thread_slice(thread).partition_C(make_identity_tensor(shape));
  const auto sums = partition_fragment_C(mma, shape).layout();
  ASSERT_EQ((size<0, 0>(sums)), 2);
  ASSERT_EQ((size<0, 1>(sums)), 2);
  ASSERT_EQ((size<0, 2>(sums)), Staging::kRows / kStagedRows);
  const int group = thread / kGroup, warp = thread % kGroup / kWarp, lane = thread % kWarp;
  for (int down = 0; down < size<1>(sums); ++down) {
    const int output = (down * Staging::kWarpgroups + group) * Staging::kOutputs + warp * kEight + lane / 4;
    for (int across = 0; across < size<2>(sums); ++across) {
      for (int matrix = 0; matrix < size<0, 2>(sums); ++matrix) {
        for (int row = 0; row < 2; ++row) {
          for (int half = 0; half < 2; ++half) {
            const auto at = place(make_coord(make_coord(row, half, matrix), down, across));
            EXPECT_EQ(stacked_row(get<0>(at), kOutputs), half * kOutputs + output);
            EXPECT_EQ(get<1>(at), across * Staging::kRows + matrix * kStagedRows + lane % 4 * 2 + row);
          }
        }
      }
    }
  }
}

/// Matrix by matrix as four warps store them: row `lane % 8` of the turned matrix goes where a lane says.
template <class Staging>
void expect_buffer() {
  const auto buffer = as_position_independent_swizzle_layout(typename Staging::Buffer{});
  std::vector<int> times(static_cast<std::size_t>(Staging::kOutputs * Staging::kRows), 0);
  const auto expect_row = [&](int warp, int matrix, int row, int byte) {
    for (int i = 0; i < kEight; ++i) {
      const int element = buffer(warp * kEight + i, matrix * kStagedRows + row);
      EXPECT_EQ(element * kElement, byte + i * kElement) << "eight outputs side by side, where TMA looks for them";
      ++times.at(static_cast<std::size_t>(element));
    }
  };
  constexpr int kMatrices = Staging::kRows / kStagedRows, kInFours = kMatrices / 4 * 4;
  for (int warp = 0; warp < kGroup / kWarp; ++warp) {
    for (int first = 0; first < kMatrices; first += first < kInFours ? 4 : 1) {
      const int lanes = first < kInFours ? kWarp : kEight;
      for (int lane = 0; lane < lanes; ++lane) {
        const int byte = first * kStagedBytes + staged_place(warp, lane);
        expect_row(warp, first + lane / kEight, lane % kEight, byte);
      }
    }
  }
  EXPECT_EQ(times, std::vector<int>(times.size(), 1));
}

template <std::size_t index>
void expect_tile() {
  using Staging = GatedStaging<index>;
  SCOPED_TRACE(Staging::kTile.rows);
  ASSERT_EQ(size(typename Staging::Mma{}), Staging::kWarpgroups * kGroup);
  EXPECT_EQ(Staging::kTile.rows % Staging::kRows, 0);
  for (int thread = 0; thread < Staging::kWarpgroups * kGroup; ++thread) expect_pairs<Staging>(thread);
  expect_buffer<Staging>();
}

template <std::size_t... indices>
void expect_tiles(std::index_sequence<indices...>) {
  (expect_tile<indices>(), ...);
}

TEST(GateStaging, HoldsEveryOutputOnceWhereItsTwoSumsAre) {
  expect_tiles(std::make_index_sequence<kGatedTiles.size()>());
}

}  // namespace
}  // namespace trireme::kernels
