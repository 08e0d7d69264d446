#include "worker/kernels/gate.h"

#include "common/errors.h"
#include "tests/worker/kernels/compare.h"

namespace trireme {
namespace {

using kernels::silu_mul;

TEST(SiluMul, FollowsItsFormulaAndRoundsSiluFirst) {
  const at::Tensor a = random({3, 24}, at::kFloat, 1), b = random({3, 24}, at::kFloat, 2);
  const at::Tensor wide = a.to(at::kDouble);
  EXPECT_LT(relative_error(silu_mul(a, b), wide / (1 + at::exp(-wide)) * b.to(at::kDouble)), 1e-6);
  // silu(1) = 0.73106 becomes 0.73046875 in bfloat16; nine times that is 6.5742 and not 6.5795.
  const at::Tensor one = at::full({1, 8}, 1.0, at::kBFloat16), nine = at::full({1, 8}, 9.0, at::kBFloat16);
  EXPECT_EQ(silu_mul(one, nine)[0][0].item<float>(), 6.5625f);
}

TEST(SiluMul, TakesHalvesOfAFusedProduct) {
  const at::Tensor fused = random({3, 48}, at::kFloat, 1);
  const at::Tensor out = silu_mul(fused.narrow(1, 0, 24), fused.narrow(1, 24, 24));
  EXPECT_TRUE(out.is_contiguous());
  EXPECT_TRUE(at::equal(out, silu_mul(fused.narrow(1, 0, 24).contiguous(), fused.narrow(1, 24, 24).contiguous())));
}

TEST(SiluMul, RefusesShapesThatDiffer) {
  EXPECT_THROW(silu_mul(at::ones({2, 8}), at::ones({2, 16})), Error);
  EXPECT_THROW(silu_mul(at::ones({2, 8}), at::ones({2, 8}, at::kBFloat16)), Error);
}

TEST(SiluMul, KernelEqualsThePlainBodyOnAGpu) {
  TRIREME_NEEDS_GPU();
  for (const at::ScalarType dtype : kDtypes) {
    for (const std::int64_t dim : {8, 10240, 2056, 85}) {  // 85: no kernel
      const at::Tensor fused = random({19, 2 * dim}, dtype, 1), on_gpu = fused.to(at::kCUDA);
      EXPECT_LT(relative_error(silu_mul(on_gpu.narrow(1, 0, dim), on_gpu.narrow(1, dim, dim)),
                               silu_mul(fused.narrow(1, 0, dim), fused.narrow(1, dim, dim))),
                tolerance(dtype))
          << dim;
    }
  }
}

}  // namespace
}  // namespace trireme
