// The epilogue of gated_product.cu without a GPU: which thread of the tile holds which element (CuTe's own layouts),
// what the epilogue's loop makes of it, and where it stores.
#include "worker/kernels/pair_stores.cuh"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "worker/kernels/pair_order.h"

namespace trireme::kernels {
namespace {

using namespace cute;

constexpr int kRows = 128, kColumns = 256, kThreads = 256, kOutputs = 10240;
constexpr int kBytes = 16, kSector = 32, kElement = 2, kWarp = 32;

struct Stored {
  std::vector<int> times = std::vector<int>(kRows * kColumns / 2, 0);  // each output of the tile
  std::map<std::tuple<int, int, int, int>, int> bytes;                 // of each warp, store, row, sector
};

/// By one thread; `column0`: the tile's first column in the product.
void store(int thread, int column0, Stored& stored) {
  const GatedTileMma mma;
  const auto shape = make_shape(Int<kRows>{}, Int<kColumns>{});
  const auto place = mma.get_thread_slice(thread).partition_C(make_identity_tensor(shape));
  const auto accumulators = partition_fragment_C(mma, shape);
  const int first_column = get<1>(place(make_coord(make_coord(0, 0, 0), 0, 0)));
  std::set<int> used;
  int count = 0;
  each_store(accumulators.layout(), [&](auto pair) {
    const int row = get<0>(place(pair(0, 0))), column = get<1>(place(pair(0, 0))), right = column - first_column;
    const int out = first_output(column0 + column);
    EXPECT_EQ(right % kPairRows, 0) << "whole periods from the thread's first store";
    EXPECT_EQ(out, first_output(column0 + first_column) + right / 2) << "as the epilogue counts";
    EXPECT_EQ(out * kElement % kBytes, 0) << "aligned";
    for (int j = 0; j < kPairsPerStore; ++j) {
      for (int half = 0; half < 2; ++half) {
        const auto at = place(pair(j, half));
        EXPECT_EQ(get<0>(at), row);
        EXPECT_EQ(stacked_row(column0 + get<1>(at), kOutputs), half * kOutputs + out + j);
        EXPECT_TRUE(used.insert(accumulators.layout()(pair(j, half))).second) << "used once";
      }
      ++stored.times.at(static_cast<std::size_t>(row * kColumns / 2 + out + j - column0 / 2));
    }
    stored.bytes[{thread / kWarp, count++, row, out * kElement / kSector}] += kBytes;
  });
  EXPECT_EQ(used.size(), static_cast<std::size_t>(size(accumulators))) << "no accumulator is left out";
}

TEST(PairStores, WriteEveryOutputOnceFromItsTwoSumsAndFillSectors) {
  ASSERT_EQ(size(GatedTileMma{}), kThreads);
  for (const int column0 : {0, kColumns, 2 * kOutputs - kColumns}) {
    Stored stored;
    for (int thread = 0; thread < kThreads && !HasFailure(); ++thread) store(thread, column0, stored);
    EXPECT_EQ(stored.times, std::vector<int>(stored.times.size(), 1));
    for (const auto& [where, bytes] : stored.bytes) ASSERT_EQ(bytes, kSector) << "an instruction fills its sectors";
  }
}

}  // namespace
}  // namespace trireme::kernels
