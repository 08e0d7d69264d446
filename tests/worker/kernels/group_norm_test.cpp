#include "worker/kernels/group_norm.h"

#include "common/errors.h"
#include "tests/worker/kernels/compare.h"

namespace trireme {
namespace {

using kernels::group_norm;

at::Tensor exact(const at::Tensor& x, int groups, const at::Tensor& weight, const at::Tensor& bias, double eps) {
  const at::Tensor wide = x.to(at::kDouble).reshape({x.size(0), groups, -1});
  const at::Tensor mean = wide.mean(-1, true), variance = wide.var(-1, /*unbiased=*/false, true);
  return ((wide - mean) / at::sqrt(variance + eps)).reshape(x.sizes()) * weight.to(at::kDouble).reshape({1, -1, 1, 1}) +
         bias.to(at::kDouble).reshape({1, -1, 1, 1});
}

TEST(GroupNorm, FollowsItsFormulaWithAndWithoutSilu) {
  const at::Tensor x = random({2, 8, 3, 5}, at::kFloat, 1), weight = random({8}, at::kFloat, 2);
  const at::Tensor bias = random({8}, at::kFloat, 3), expected = exact(x, 4, weight, bias, 1e-3);
  EXPECT_LT(relative_error(group_norm(x, 4, weight, bias, 1e-3, false), expected), 1e-6);
  EXPECT_LT(relative_error(group_norm(x, 4, weight, bias, 1e-3, true), expected / (1 + at::exp(-expected))), 1e-6);
}

TEST(GroupNorm, KeepsTheMemoryFormat) {
  const at::Tensor x = random({1, 8, 4, 6}, at::kFloat, 1), ones = at::ones({8});
  const at::Tensor last = x.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor out = group_norm(last, 4, ones, ones, 1e-6, true);
  EXPECT_TRUE(out.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_LT(relative_error(out, group_norm(x, 4, ones, ones, 1e-6, true)), 1e-6);
}

TEST(GroupNorm, KeepsItsDigitsWhereTheMeanIsFarFromZero) {
  const at::Tensor x = random({1, 64, 48, 40}, at::kFloat, 1) + 30, ones = at::ones({64});
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    // x * scale + shift, two terms of 30 in float32.
    EXPECT_LT(
        relative_error(group_norm(x.contiguous(format), 32, ones, ones, 1e-6, false), exact(x, 32, ones, ones, 1e-6)),
        1e-5);
  }
}

TEST(GroupNorm, AddsABiasFirst) {
  for (const at::ScalarType dtype : kDtypes) {
    const at::Tensor x = random({2, 8, 3, 5}, dtype, 1), ones = at::ones({8}, dtype), bias = random({8}, dtype, 2);
    EXPECT_TRUE(at::equal(group_norm(x, 4, ones, ones, 1e-3, true, bias),
                          group_norm(x + bias.view({1, 8, 1, 1}), 4, ones, ones, 1e-3, true)));
  }
}

TEST(GroupNorm, RefusesGroupsThatDoNotDivideTheChannels) {
  const at::Tensor ones = at::ones({8});
  EXPECT_THROW(group_norm(at::ones({1, 8, 2, 2}), 3, ones, ones, 1e-6, false), Error);
  EXPECT_THROW(group_norm(at::ones({1, 16, 2, 2}), 4, ones, ones, 1e-6, false), Error);
}

TEST(GroupNorm, KernelsFollowTheFormulaOnAGpu) {
  TRIREME_NEEDS_GPU();
  struct Shape {
    std::int64_t images, channels, height, width;
  };
  // Several slices, a last one cut short, channels that don't fill a block, and (3x5, 12 channels) shapes without a
  // kernel.
  const Shape shapes[] = {{1, 128, 64, 72}, {2, 512, 16, 16},  {1, 96, 33, 40},
                          {1, 64, 40, 40},  {1, 256, 129, 96}, {2, 12, 3, 5}};
  for (const at::ScalarType dtype : kDtypes) {
    for (const Shape& s : shapes) {
      for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
        const int groups = s.channels % 32 == 0 ? 32 : 4;
        // A mean far from zero: what a sum of squares in float32 would lose.
        const at::Tensor x =
            (random({s.images, s.channels, s.height, s.width}, at::kFloat, 1) + 30).to(dtype).contiguous(format);
        const at::Tensor weight = random({s.channels}, dtype, 2), bias = random({s.channels}, dtype, 3);
        const at::Tensor got =
            group_norm(x.to(at::kCUDA), groups, weight.to(at::kCUDA), bias.to(at::kCUDA), 1e-6, true);
        EXPECT_TRUE(got.is_contiguous(format));
        const at::Tensor norm = exact(x, groups, weight, bias, 1e-6);
        const double limit = dtype == at::kFloat ? 1e-5 : tolerance(dtype);  // as above
        EXPECT_LT(relative_error(got, norm / (1 + at::exp(-norm))), limit) << s.channels;
        const at::Tensor sum = x + bias.view({1, -1, 1, 1});
        const at::Tensor with_bias = group_norm(x.to(at::kCUDA), groups, weight.to(at::kCUDA), bias.to(at::kCUDA), 1e-6,
                                                false, bias.to(at::kCUDA));
        EXPECT_LT(relative_error(with_bias, exact(sum, groups, weight, bias, 1e-6)), limit) << s.channels;
      }
    }
  }
}

TEST(GroupNorm, GivesTheSameBitsTwiceOnAGpu) {
  TRIREME_NEEDS_GPU();
  const at::Tensor x = random({1, 128, 256, 256}, at::kBFloat16, 1)
                           .to(at::kCUDA, at::kBFloat16)
                           .contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor ones = at::ones({128}, x.options());
  const at::Tensor first = group_norm(x, 32, ones, ones, 1e-6, true);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(at::equal(first, group_norm(x, 32, ones, ones, 1e-6, true)));
}

}  // namespace
}  // namespace trireme
