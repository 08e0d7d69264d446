#include "worker/kernels/gated_product.h"

#include <vector>

#include "common/errors.h"
#include "tests/worker/kernels/compare.h"
#include "worker/kernels/call.h"
#include "worker/kernels/capability.h"
#include "worker/kernels/gate.h"
#include "worker/kernels/gated_tiles.h"
#include "worker/kernels/pair_order.h"

namespace trireme {
namespace {

using kernels::gated_product;
using kernels::in_pairs;

/// Two products and their gate.
at::Tensor apart(const at::Tensor& x, const at::Tensor& stacked) {
  const at::Tensor both = at::linear(x, stacked);
  const std::int64_t dim = stacked.size(0) / 2;
  return kernels::silu_mul(both.narrow(1, 0, dim), both.narrow(1, dim, dim));
}

/// Small whole numbers over 8: sums of some hundred products are exact in float32, in any order.
at::Tensor exact(at::IntArrayRef shape, at::ScalarType dtype, std::uint64_t seed) {
  return (random(shape, at::kFloat, seed).clamp(-2, 2).round() / 8).to(dtype);
}

TEST(PairOrder, HoldsEveryRowOnce) {
  for (const int dim : {8, 96, 9216, 10240}) {
    std::vector<int> times(static_cast<std::size_t>(2 * dim), 0);
    for (int row = 0; row < 2 * dim; ++row) ++times.at(static_cast<std::size_t>(kernels::stacked_row(row, dim)));
    EXPECT_EQ(times, std::vector<int>(static_cast<std::size_t>(2 * dim), 1)) << dim;
  }
}

TEST(PairOrder, HasTheTwoRowsOfAnOutputEightApart) {
  const at::Tensor stacked = at::arange(192, at::kFloat).view({192, 1}).expand({192, 8}).contiguous();
  const at::Tensor rows = in_pairs(stacked).select(1, 0).view({12, 2, 8});
  EXPECT_TRUE(at::equal(rows.select(1, 0), at::arange(96, at::kFloat).view({12, 8})));
  EXPECT_TRUE(at::equal(rows.select(1, 1), rows.select(1, 0) + 96));
}

TEST(GatedProduct, EqualsTheProductsAndTheirGateBitForBit) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const std::int64_t dim : {8, 96, 320}) {
      const at::Tensor x = exact({7, 40}, dtype, 1), stacked = exact({2 * dim, 40}, dtype, 2);
      EXPECT_TRUE(at::equal(gated_product(x, in_pairs(stacked)), apart(x, stacked))) << dim;
    }
  }
}

TEST(GatedProduct, TakesNoRows) {
  EXPECT_EQ(gated_product(at::ones({0, 8}), at::ones({64, 8})).sizes(), (at::IntArrayRef{0, 32}));
}

TEST(GatedProduct, RefusesWhatHasNoPairs) {
  EXPECT_THROW(in_pairs(at::ones({72, 8})), Error);
  EXPECT_THROW(in_pairs(at::ones({64, 12})), Error);
  EXPECT_THROW(gated_product(at::ones({2, 8}), at::ones({64, 16})), Error);
  EXPECT_THROW(gated_product(at::ones({2, 8}), at::ones({64, 8}, at::kBFloat16)), Error);
  EXPECT_THROW(gated_product(at::ones({2, 8}, at::kDouble), at::ones({64, 8}, at::kDouble)), Error);
}

TEST(GatedProduct, IsForHopperInBfloat16Alone) {
  EXPECT_FALSE(kernels::has_gated_product(at::kCPU, at::kBFloat16));
  TRIREME_NEEDS_GPU();
  EXPECT_FALSE(kernels::has_gated_product(at::kCUDA, at::kFloat));
  const bool hopper = kernels::capability(at::kCUDA) == 90;
  EXPECT_TRUE(hopper || !kernels::has_gated_product(at::kCUDA, at::kBFloat16));
}

class GatedProductOnAGpu : public testing::Test {
 protected:
  void SetUp() override {
    TRIREME_NEEDS_GPU();
    if (!kernels::has_gated_product(at::kCUDA, at::kBFloat16))
      GTEST_SKIP() << "no Hopper GPU, or a build without CUTLASS";
  }
  static at::Tensor on_gpu(at::IntArrayRef shape, std::uint64_t seed, double scale = 1) {
    return random(shape, at::kFloat, seed).mul_(scale).to(at::kCUDA, at::kBFloat16);
  }
};

TEST_F(GatedProductOnAGpu, EqualsTheProductsAndTheirGate) {
  struct Shape {
    std::int64_t rows, dim, in;
  };
  for (const Shape& s : {Shape{1, 8, 8}, Shape{127, 96, 72}, Shape{128, 256, 64}, Shape{129, 1024, 520},
                         Shape{1001, 10240, 256}, Shape{4224, 10240, 512}, Shape{4352, 9216, 256}}) {
    const at::Tensor x = on_gpu({s.rows, s.in}, 1), stacked = on_gpu({2 * s.dim, s.in}, 2, 0.1);
    EXPECT_LT(relative_error(gated_product(x, in_pairs(stacked)), apart(x, stacked)), tolerance(at::kBFloat16))
        << s.rows << " x " << s.dim << " x " << s.in;
    const at::Tensor whole_x = exact({s.rows, s.in}, at::kBFloat16, 1).to(at::kCUDA);
    const at::Tensor whole = exact({2 * s.dim, s.in}, at::kBFloat16, 2).to(at::kCUDA);
    EXPECT_TRUE(at::equal(gated_product(whole_x, in_pairs(whole)), apart(whole_x, whole))) << "bit for bit";
  }
}

TEST_F(GatedProductOnAGpu, ARowHasTheSameBitsInEveryCall) {
  const at::Tensor x = on_gpu({4224, 512}, 1), weight = in_pairs(on_gpu({2 * 10240, 512}, 2, 0.1));
  const at::Tensor whole = gated_product(x, weight);
  for (const std::int64_t first : {0, 64, 101}) {
    for (const std::int64_t rows : {1, 33, 1001, 1152, 4096}) {
      const at::Tensor some = gated_product(x.narrow(0, first, rows), weight);
      EXPECT_TRUE(at::equal(some, whole.narrow(0, first, rows))) << rows << " from " << first;
    }
  }
  const at::Tensor thrice = gated_product(at::cat({x, x, x}), weight);
  EXPECT_TRUE(at::equal(thrice, at::cat({whole, whole, whole})));
}

TEST_F(GatedProductOnAGpu, HasTheSameBitsWithEveryTileAndWritesNothingBehindTheLastRow) {
  constexpr std::int64_t kDim = 1064, kIn = 264, kGuard = 512;  // no whole tiles
  const at::Tensor weight = in_pairs(on_gpu({2 * kDim, kIn}, 2, 0.1));
  for (const std::int64_t rows : {1, 127, 129, 1001}) {
    const at::Tensor x = on_gpu({rows, kIn}, 1), expected = gated_product(x, weight);
    for (std::size_t tile = 0; tile < kernels::kGatedTiles.size(); ++tile) {
      for (const int together : {1, 2, 3, 100}) {
        const at::Tensor out = at::full({rows + kGuard, kDim}, -7, x.options());
        kernels::GatedProductLaunch args{x.data_ptr(), weight.data_ptr(), out.data_ptr(), static_cast<int>(rows), kDim,
                                         kIn};
        args.multiprocessors = kernels::multiprocessors(x.device());
        args.tile = tile, args.clusters_together = together;
        kernels::enqueue(x, "gated_product", [&](cudaStream_t stream) { return launch_gated_product(args, stream); });
        EXPECT_TRUE(at::equal(out.narrow(0, 0, rows), expected)) << rows << " rows, " << tile << ", " << together;
        EXPECT_TRUE(at::equal(out.narrow(0, rows, kGuard), at::full({kGuard, kDim}, -7, x.options())));
      }
    }
  }
}

}  // namespace
}  // namespace trireme
