#pragma once
// The order of w1's and w3's rows in the joined weight of gated_product.h. Of every 8 columns of a product, wgmma gives
// the four threads q of a quad columns 2q and 2q + 1: these shall be a and b of one output. Of 64 columns, eight such
// groups j, a thread then has eight pairs, and pair j is output 8q + j of the 32: 16 bytes of bfloat16, one store. The
// period is 64 rows of the weight, whatever the width of a tile.

namespace trireme::kernels {

inline constexpr int kPairRows = 64;  // of the weight: a period
inline constexpr int kPairOutputs = kPairRows / 2;
inline constexpr int kPairsPerStore = 8;

/// Row of the stacked weight (w1's `outputs` rows, then w3's) that stands in `row` of the ordered one.
constexpr int stacked_row(int row, int outputs) {
  const int j = row % kPairRows / 8, q = row % 8 / 2, half = row % 2;
  return half * outputs + row / kPairRows * kPairOutputs + q * kPairsPerStore + j;
}

/// First output of the thread whose first column of a period (an `a`, of its first group) is `column`.
constexpr int first_output(int column) {
  return column / kPairRows * kPairOutputs + column % kPairRows / 2 * kPairsPerStore;
}

static_assert(stacked_row(0, 1000) == 0 && stacked_row(1, 1000) == 1000);  // a and b of output 0
static_assert(stacked_row(8, 1000) == 1 && stacked_row(2, 1000) == 8);     // next group: next output; next thread: + 8
static_assert(stacked_row(63, 1000) == 1031 &&
              stacked_row(64, 1000) == 32);  // the last of a period, the next one's first
static_assert(first_output(6) == 24 && first_output(64) == 32);

}  // namespace trireme::kernels
