#include "worker/kernels/pixels.h"

#include "common/errors.h"
#include "tests/worker/kernels/compare.h"

namespace trireme {
namespace {

using namespace kernels;

TEST(AddBiased, AddsBiasesAndThenTheSumInPlace) {
  for (const at::ScalarType dtype : kDtypes) {
    const at::Tensor a = random({2, 8, 3, 5}, dtype, 1), b = random({2, 8, 3, 5}, dtype, 2);
    const at::Tensor bias = random({8}, dtype, 3), spread = bias.view({1, 8, 1, 1}), place = a.clone();
    EXPECT_TRUE(at::equal(add_biased_({place, bias}), a + spread));
    EXPECT_TRUE(at::equal(place, a + spread));
    EXPECT_TRUE(at::equal(add_biased_({a.clone(), bias}, {b, {}}), (a + spread) + b));
    EXPECT_TRUE(at::equal(add_biased_({a.clone(), {}}, {b, bias}), a + (b + spread)));
    EXPECT_TRUE(at::equal(add_biased_({a.clone(), {}}), a));
  }
}

TEST(AddBiased, RefusesPicturesThatDiffer) {
  EXPECT_THROW(add_biased_({at::ones({1, 8, 2, 2}), {}}, {at::ones({1, 8, 2, 3}), {}}), Error);
  EXPECT_THROW(add_biased_({at::ones({1, 8, 2, 2}), at::ones({4})}), Error);
}

TEST(FoldDoubling, GivesTheConvolutionOfTheDoubledPicture) {
  const at::Tensor x = random({2, 6, 5, 7}, at::kFloat, 1), weight = random({3, 6, 3, 3}, at::kFloat, 2);
  const at::Tensor bias = random({3}, at::kFloat, 3);
  const at::Tensor expected = at::conv2d(at::upsample_nearest2d(x, {10, 14}), weight, bias, 1, 1);
  const at::Tensor folded = fold_doubling(weight);
  EXPECT_EQ(folded.sizes(), at::IntArrayRef({12, 6, 2, 2}));
  EXPECT_TRUE(folded.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_LT(relative_error(join_doubled(at::conv2d(x, folded, {}, 1, 1), bias), expected), 1e-6);
  EXPECT_LT(relative_error(join_doubled(at::conv2d(x, folded, {}, 1, 1), {}), expected - bias.view({1, 3, 1, 1})),
            1e-6);
}

TEST(FoldDoubling, RoundsSumsOnce) {
  at::Tensor weight = at::zeros({1, 1, 3, 3});
  weight[0][0][1][1] = 1, weight[0][0][1][2] = 1.f / 256, weight[0][0][2][2] = 1.f / 256;
  // Of the even row and column: 1 + 1/256 + 1/256, which bfloat16 has, where 1 + 1/256 would be rounded away.
  EXPECT_EQ(fold_doubling(weight.to(at::kBFloat16))[0][0][1][1].item<float>(), 1 + 1.f / 128);
}

TEST(FoldDoubling, RefusesOtherShapes) {
  EXPECT_THROW(fold_doubling(at::ones({4, 4, 1, 1})), Error);
  EXPECT_THROW(join_doubled(at::ones({1, 6, 3, 3}), {}), Error);
  EXPECT_THROW(join_doubled(at::ones({1, 8, 3, 3}), at::ones({3})), Error);
}

TEST(ToBytes, RoundsToTheNearestAndHalvesToEven) {
  const at::Tensor image = at::tensor({-2.f, -1.f, -0.5f, 0.f, 0.5f, 1.5f}).view({1, 2, 3}).expand({3, 2, 3});
  const at::Tensor expected = at::tensor({0, 0, 64, 128, 191, 255}).to(at::kByte).view({2, 3, 1}).expand({2, 3, 3});
  for (const at::ScalarType dtype : kDtypes) EXPECT_TRUE(at::equal(to_bytes(image.to(dtype)), expected));
  EXPECT_THROW(to_bytes(at::ones({4, 2, 2})), Error);
}

TEST(ToBytes, KernelEqualsThePlainBodyOnAGpu) {
  TRIREME_NEEDS_GPU();
  for (const at::ScalarType dtype : kDtypes) {
    const at::Tensor image = random({3, 37, 53}, dtype, 1);
    const at::Tensor last = image.permute({1, 2, 0}).contiguous().permute({2, 0, 1});  // as a decoder makes it
    for (const at::Tensor& one : {image, last, image.slice(1, 3).slice(2, 1)}) {
      EXPECT_TRUE(at::equal(to_bytes(one.to(at::kCUDA)).cpu(), to_bytes(one)));
    }
  }
}

TEST(Pixels, KernelsEqualThePlainBodyOnAGpu) {
  TRIREME_NEEDS_GPU();
  for (const at::ScalarType dtype : kDtypes) {
    for (const std::int64_t channels : {8, 128, 512, 12}) {  // 12: no kernel
      const auto picture = [&](std::uint64_t seed) {
        return random({2, channels, 17, 13}, dtype, seed).contiguous(at::MemoryFormat::ChannelsLast);
      };
      const at::Tensor a = picture(1), b = picture(2), bias = random({channels}, dtype, 3);
      const auto gpu = [](const at::Tensor& t) { return t.to(at::kCUDA); };
      // Single additions: nothing to differ in.
      EXPECT_TRUE(at::equal(add_biased_({gpu(a), gpu(bias)}).cpu(), add_biased_({a.clone(), bias})));
      EXPECT_TRUE(
          at::equal(add_biased_({gpu(a), gpu(bias)}, {gpu(b), {}}).cpu(), add_biased_({a.clone(), bias}, {b, {}})));
      EXPECT_TRUE(at::equal(add_biased_({gpu(a), gpu(bias)}, {gpu(b), gpu(bias)}).cpu(),
                            add_biased_({a.clone(), bias}, {b, bias})));
      const at::Tensor quarter = bias.narrow(0, 0, channels / 4), joined = join_doubled(gpu(a), gpu(quarter));
      EXPECT_TRUE(joined.is_contiguous(at::MemoryFormat::ChannelsLast));
      EXPECT_TRUE(at::equal(joined.cpu(), join_doubled(a, quarter)));
      EXPECT_TRUE(at::equal(join_doubled(gpu(a), {}).cpu(), join_doubled(a, {})));
    }
  }
}

}  // namespace
}  // namespace trireme
