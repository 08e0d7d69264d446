#include "worker/kernels/softmax.h"

#include "common/errors.h"
#include "tests/worker/kernels/compare.h"

namespace trireme {
namespace {

using kernels::scaled_softmax;

TEST(ScaledSoftmax, FollowsItsFormula) {
  const at::Tensor scores = random({5, 48}, at::kFloat, 1) * 20, wide = scores.to(at::kDouble) * 0.25;
  const at::Tensor powers = at::exp(wide - wide.amax(1, true));
  EXPECT_LT(relative_error(scaled_softmax(scores, 0.25, at::kFloat), powers / powers.sum(1, true)), 2e-6);
  EXPECT_EQ(scaled_softmax(scores, 0.25, at::kBFloat16).scalar_type(), at::kBFloat16);
}

TEST(ScaledSoftmax, RefusesScoresThatAreNotFloat32) {
  EXPECT_THROW(scaled_softmax(at::ones({2, 8}, at::kBFloat16), 1, at::kBFloat16), Error);
  EXPECT_THROW(scaled_softmax(at::ones({2, 8}), 0, at::kFloat), Error);
}

TEST(ScaledSoftmax, KernelEqualsThePlainBodyOnAGpu) {
  TRIREME_NEEDS_GPU();
  for (const at::ScalarType dtype : kDtypes) {
    for (const std::int64_t columns : {8, 4096, 16384, 32768, 1224, 33}) {  // 33: no kernel
      const at::Tensor scores = random({7, columns}, at::kFloat, 1) * 30;
      // Float32: __expf of a score of up to 40 is off by some 40 roundings.
      EXPECT_LT(relative_error(scaled_softmax(scores.to(at::kCUDA), 0.3, dtype), scaled_softmax(scores, 0.3, dtype)),
                dtype == at::kFloat ? 1e-5 : tolerance(dtype))
          << columns;
    }
  }
}

}  // namespace
}  // namespace trireme
