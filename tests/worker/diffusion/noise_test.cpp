#include "worker/diffusion/noise.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace trireme {
namespace {

// torch.randn(4, generator=torch.Generator("cpu").manual_seed(seed)), and the 20th of 20: longer draws take another
// path.
TEST(Noise, IsThatOfAPythonGeneratorWithTheSameSeed) {
  struct Expected {
    std::uint64_t seed;
    float four[4], twentieth;
  };
  const Expected expected[] = {
      {0ULL, {1.54099607f, -0.293428898f, -2.17878938f, 0.568431258f}, 0.0537369028f},
      {1ULL, {0.661352158f, 0.266924113f, 0.0616772585f, 0.621317327f}, 1.71630263f},
      {4294967297ULL, {0.661352158f, 0.266924113f, 0.0616772585f, 0.621317327f}, 1.71630263f},
      {9223372036854788153ULL, {1.42713046f, -1.87008917f, -1.19621038f, -2.04395127f}, 0.154222086f},
      {18446744073709551615ULL, {1.21976304f, -0.392979473f, 1.0230751f, -0.373421133f}, -1.20969021f},
  };
  for (const Expected& e : expected) {
    const at::Tensor four = draw_noise({4}, e.seed), twenty = draw_noise({20}, e.seed);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(four.data_ptr<float>()[i], e.four[i]) << e.seed << " at " << i;
    EXPECT_EQ(twenty.data_ptr<float>()[19], e.twentieth) << e.seed;
  }
}

TEST(Noise, DependsOnTheSeedAloneAndNotOnEarlierDraws) {
  const at::Tensor first = draw_noise({16, 8, 8}, 1);
  draw_noise({16, 8, 8}, 2);
  EXPECT_TRUE(at::equal(first, draw_noise({16, 8, 8}, 1)));
  EXPECT_FALSE(at::equal(first, draw_noise({16, 8, 8}, 2)));
}

}  // namespace
}  // namespace trireme
