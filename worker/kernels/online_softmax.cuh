#pragma once
// The softmax of rows whose scores come tile after tile, for accumulators of a warpgroup's products: a thread holds
// pairs of neighbouring columns of two rows, value r being of row r / 2 % 2; four threads share a row.

#include "cute/tensor.hpp"
#include "worker/kernels/exp2.cuh"

namespace trireme::kernels {

class OnlineSoftmax {
 public:
  /// Scores become 2^((score - largest so far) * scale). Afterwards factor(i) is what earlier sums of row i are to be
  /// multiplied with.
  template <class Scores>
  CUTE_DEVICE void operator()(Scores& s, float scale) {
    float largest[4] = {largest_[0], largest_[0], largest_[1], largest_[1]};
    CUTE_UNROLL
    for (int r = 0; r < cute::size(s); ++r) largest[r % 4] = fmaxf(largest[r % 4], s(r));
    float sum[4], shift[2];
    CUTE_UNROLL
    for (int i = 0; i < 2; ++i) {
      float both = fmaxf(largest[2 * i], largest[2 * i + 1]);
      for (const int lane : {1, 2}) both = fmaxf(both, __shfl_xor_sync(kAll, both, lane));
      factor_[i] = exp2_fast((largest_[i] - both) * scale);
      largest_[i] = both;
      shift[i] = both * scale;
      sum[2 * i] = sum_[i] * factor_[i];
      sum[2 * i + 1] = 0;
    }
    CUTE_UNROLL
    for (int r = 0; r < cute::size(s); ++r) {
      s(r) = exp2_fast(s(r) * scale - shift[r / 2 % 2]);
      sum[r % 4] += s(r);
    }
    sum_[0] = sum[0] + sum[1], sum_[1] = sum[2] + sum[3];
  }

  CUTE_DEVICE float factor(int row) const { return factor_[row]; }
  CUTE_DEVICE float largest(int row) const { return largest_[row]; }
  /// Of this thread's columns.
  CUTE_DEVICE float own_sum(int row) const { return sum_[row]; }
  /// Of all columns.
  CUTE_DEVICE float sum(int row) const {
    const float two = sum_[row] + __shfl_xor_sync(kAll, sum_[row], 1);
    return two + __shfl_xor_sync(kAll, two, 2);
  }

 private:
  static constexpr unsigned kAll = 0xffffffffu;
  float largest_[2] = {-INFINITY, -INFINITY}, sum_[2] = {0, 0}, factor_[2] = {1, 1};
};

}  // namespace trireme::kernels
