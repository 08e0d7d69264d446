#include "worker/kernels/norm.h"

#include "common/errors.h"
#include "tests/worker/kernels/compare.h"

namespace trireme {
namespace {

using namespace kernels;

/// The norm before its weight, in float64.
at::Tensor exact(const at::Tensor& x, double eps) {
  const at::Tensor wide = x.to(at::kDouble);
  return wide / at::sqrt(wide.pow(2).mean(-1, true) + eps);
}

TEST(RmsNorm, FollowsItsFormulaInFloat32) {
  const at::Tensor x = random({5, 48}, at::kFloat, 1), weight = random({48}, at::kFloat, 2);
  const at::Tensor vector = random({48}, at::kFloat, 3), residual = random({5, 48}, at::kFloat, 4);
  const at::Tensor norm = exact(x, 1e-2) * weight.to(at::kDouble);
  EXPECT_LT(relative_error(rms_norm(x, weight, 1e-2), norm), 1e-6);
  EXPECT_LT(relative_error(rms_norm(x, weight, 1e-2, vector), norm * (1 + vector.to(at::kDouble))), 1e-6);
  EXPECT_LT(relative_error(rms_norm_one_plus(x, weight, 1e-2), exact(x, 1e-2) * (1 + weight.to(at::kDouble))), 1e-6);
  EXPECT_LT(relative_error(add_gated_norm(residual, x, weight, 1e-2), residual.to(at::kDouble) + norm), 1e-6);
  EXPECT_LT(relative_error(add_gated_norm(residual, x, weight, 1e-2, vector),
                           residual.to(at::kDouble) + norm * vector.to(at::kDouble).tanh()),
            1e-6);
}

TEST(RmsNorm, RoundsToBfloat16BeforeTheWeightAndAfterEveryStep) {
  // 1.0078125 squared is 1.01568..: bfloat16 keeps 1.015625. The norm of a constant row is 1, so the weight is seen
  // alone.
  const at::Tensor x = at::full({1, 8}, 2.0, at::kBFloat16), weight = at::full({8}, 1.0078125, at::kBFloat16);
  const at::Tensor modulation = at::full({8}, 0.0078125, at::kBFloat16);
  EXPECT_EQ(rms_norm(x, weight, 0, modulation)[0][0].item<float>(), 1.015625f);
  // The norm of (3, 4, 0, 0) is (1.2, 1.6, 0, 0): 1.2 becomes 1.203125 before it is multiplied by 3, not 3.6 after.
  const at::Tensor row = at::tensor({3.f, 4.f, 0.f, 0.f}).to(at::kBFloat16);
  const at::Tensor three = at::full({4}, 3.0, at::kBFloat16);
  EXPECT_EQ(rms_norm(row, three, 0)[0].item<float>(), at::tensor(3 * 1.203125f).to(at::kBFloat16).item<float>());
  EXPECT_NE(rms_norm(row, three, 0)[0].item<float>(), at::tensor(3.6f).to(at::kBFloat16).item<float>());
  // Gemma's form rounds once, at the end.
  const at::Tensor two = at::full({4}, 2.0, at::kBFloat16);
  EXPECT_EQ(rms_norm_one_plus(row, two, 0)[0].item<float>(), at::tensor(3.6f).to(at::kBFloat16).item<float>());
}

TEST(RmsNorm, RefusesWeightsOfAnotherWidthOrDtype) {
  const at::Tensor x = random({2, 16}, at::kFloat, 1);
  EXPECT_THROW(rms_norm(x, at::ones({8}), 1e-5), Error);
  EXPECT_THROW(rms_norm(x, at::ones({16}, at::kBFloat16), 1e-5), Error);
  EXPECT_THROW(rms_norm(x, at::ones({16}), 1e-5, at::ones({8})), Error);
  EXPECT_THROW(add_gated_norm(random({3, 16}, at::kFloat, 1), x, at::ones({16}), 1e-5), Error);
}

TEST(RmsNorm, KernelsEqualThePlainBodyOnAGpu) {
  TRIREME_NEEDS_GPU();
  for (const at::ScalarType dtype : kDtypes) {
    for (const std::int64_t dim : {8, 128, 2304, 2560, 3840, 5120, 10240, 20, 20480}) {  // 20, 20480: no kernel
      const at::Tensor x = random({37, dim}, dtype, 1), weight = random({dim}, dtype, 2);
      const at::Tensor vector = random({dim}, dtype, 3), residual = random({37, dim}, dtype, 4);
      const auto gpu = [](const at::Tensor& t) { return t.to(at::kCUDA); };
      const double limit = tolerance(dtype);
      EXPECT_LT(relative_error(rms_norm(gpu(x), gpu(weight), 1e-5), rms_norm(x, weight, 1e-5)), limit) << dim;
      EXPECT_LT(relative_error(rms_norm(gpu(x), gpu(weight), 1e-5, gpu(vector)), rms_norm(x, weight, 1e-5, vector)),
                limit)
          << dim;
      EXPECT_LT(relative_error(rms_norm_one_plus(gpu(x), gpu(weight), 1e-5), rms_norm_one_plus(x, weight, 1e-5)), limit)
          << dim;
      EXPECT_LT(relative_error(add_gated_norm(gpu(residual), gpu(x), gpu(weight), 1e-5),
                               add_gated_norm(residual, x, weight, 1e-5)),
                limit)
          << dim;
      EXPECT_LT(relative_error(add_gated_norm(gpu(residual), gpu(x), gpu(weight), 1e-5, gpu(vector)),
                               add_gated_norm(residual, x, weight, 1e-5, vector)),
                limit)
          << dim;
    }
  }
}

}  // namespace
}  // namespace trireme
