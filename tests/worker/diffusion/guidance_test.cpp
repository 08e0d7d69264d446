#include "worker/diffusion/guidance.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace trireme {
namespace {

TEST(Guidance, IsOffAtScaleZeroAndAboveItsTruncation) {
  EXPECT_FALSE((Guidance{.scale = 0}.applies(0)));
  EXPECT_TRUE((Guidance{.scale = 0.5}.applies(0.99f)));
  EXPECT_TRUE((Guidance{.scale = 4, .truncation = 0.5}.applies(0.5f)));
  EXPECT_FALSE((Guidance{.scale = 4, .truncation = 0.5}.applies(0.500001f)));
  EXPECT_TRUE((Guidance{.scale = 4, .truncation = 2}.applies(1.0f)));
}

TEST(Guidance, ReferenceIsThePositivePrediction) {
  const at::Tensor positive = at::full({3}, 2.0f), negative = at::full({3}, 1.0f);
  EXPECT_TRUE(at::equal(join({.scale = 4}, positive, negative), at::full({3}, 6.0f)));
}

TEST(Guidance, NormIsCutToTheRatioAndOnlyWhenAboveIt) {
  const at::Tensor positive = at::full({4}, 2.0f), negative = at::full({4}, 1.0f);
  EXPECT_TRUE(at::allclose(join({.scale = 4, .normalization = 1.5}, positive, negative), at::full({4}, 3.0f)));
  EXPECT_TRUE(at::equal(join({.scale = 4, .normalization = 3.5}, positive, negative), at::full({4}, 6.0f)));
}

}  // namespace
}  // namespace trireme
