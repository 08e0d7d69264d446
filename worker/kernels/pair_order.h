#pragma once
// The order of w1's and w3's rows in the joined weight of gated_product.h. A thread of wgmma's first operand, the
// weight, holds the sums of rows r and r + 8 of each 16: these shall be a and b of one output. So 8 rows of w1 are
// followed by the same 8 of w3, and a warp has eight neighbouring outputs.

namespace trireme::kernels {

inline constexpr int kPairRows = 16;  // of the weight: a period
inline constexpr int kPairOutputs = kPairRows / 2;

/// Row of the stacked weight (w1's `outputs` rows, then w3's) that stands in `row` of the ordered one.
constexpr int stacked_row(int row, int outputs) {
  const int half = row % kPairRows / kPairOutputs;
  return half * outputs + row / kPairRows * kPairOutputs + row % kPairOutputs;
}

static_assert(stacked_row(0, 1000) == 0 && stacked_row(8, 1000) == 1000);  // a and b of output 0
static_assert(stacked_row(7, 1000) == 7 && stacked_row(15, 1000) == 1007 && stacked_row(16, 1000) == 8);

}  // namespace trireme::kernels
