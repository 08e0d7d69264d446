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
  EXPECT_LT(relative_error(rms_norm(x, weight, 1e-2, vector), norm * vector.to(at::kDouble)), 1e-6);
  EXPECT_LT(relative_error(rms_norm_one_plus(x, weight, 1e-2), exact(x, 1e-2) * (1 + weight.to(at::kDouble))), 1e-6);
  EXPECT_LT(relative_error(add_norm(residual, x, {weight, {}}, 1e-2), residual.to(at::kDouble) + norm), 1e-6);
  EXPECT_LT(relative_error(add_norm(residual, x, {weight, vector}, 1e-2),
                           residual.to(at::kDouble) + norm * vector.to(at::kDouble)),
            1e-6);
}

TEST(LayerNorm, FollowsItsFormulaInFloat32) {
  const at::Tensor x = random({5, 48}, at::kFloat, 1) + 3, scale = random({48}, at::kFloat, 2);
  const at::Tensor wide = x.to(at::kDouble);
  const at::Tensor norm = exact(wide - wide.mean(-1, true), 1e-2) * scale.to(at::kDouble);
  EXPECT_LT(relative_error(layer_norm(x, scale, 1e-2), norm), 1e-6);
  EXPECT_THROW(layer_norm(x, at::ones({8}), 1e-2), Error);
}

TEST(RmsNorm, RoundsToBfloat16BeforeTheWeightAndAfterEveryStep) {
  // 1.0078125 squared is 1.01568..: bfloat16 keeps 1.015625. The norm of a constant row is 1, so the weight is seen
  // alone.
  const at::Tensor x = at::full({1, 8}, 2.0, at::kBFloat16), weight = at::full({8}, 1.0078125, at::kBFloat16);
  const at::Tensor scale = at::full({8}, 1.0078125, at::kBFloat16);
  EXPECT_EQ(rms_norm(x, weight, 0, scale)[0][0].item<float>(), 1.015625f);
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
  EXPECT_THROW(add_norm(random({3, 16}, at::kFloat, 1), x, {at::ones({16}), {}}, 1e-5), Error);
  EXPECT_THROW(rms_norm(x, at::ones({16}), 1e-5, at::ones({2, 16})), Error);  // whose is which row?
}

TEST(AddThenNorm, IsTheSumAndThenItsNormToTheBit) {
  for (const at::ScalarType dtype : kDtypes) {
    const at::Tensor x = random({5, 48}, dtype, 1), residual = random({5, 48}, dtype, 2);
    const at::Tensor weight = random({48}, dtype, 3), gate = random({48}, dtype, 4);
    const at::Tensor next = random({48}, dtype, 5), scale = random({48}, dtype, 6);
    const at::Tensor sum = add_norm(residual, x, {weight, gate}, 1e-3);
    const SumAndNorm both = add_then_norm(residual, x, {weight, gate}, {next, scale}, 1e-3);
    EXPECT_TRUE(at::equal(both.sum, sum));
    EXPECT_TRUE(at::equal(both.norm, rms_norm(sum, next, 1e-3, scale)));
    const SumAndNorm bare = add_then_norm(residual, x, {}, {next, {}}, 1e-3);
    EXPECT_TRUE(at::equal(bare.sum, residual + x));
    EXPECT_TRUE(at::equal(bare.norm, rms_norm(residual + x, next, 1e-3)));
    const SumAndNorm gemma = add_then_norm_one_plus(residual, x, weight, next, 1e-3);
    EXPECT_TRUE(at::equal(gemma.sum, residual + rms_norm_one_plus(x, weight, 1e-3)));
    EXPECT_TRUE(at::equal(gemma.norm, rms_norm_one_plus(gemma.sum, next, 1e-3)));
  }
}

/// Operands of every form on one device.
struct Operands {
  at::Tensor x, residual, weight, next, gate, scale;

  Operands(std::int64_t rows, std::int64_t dim, at::ScalarType dtype)
      : x(random({rows, dim}, dtype, 1)),
        residual(random({rows, dim}, dtype, 2)),
        weight(random({dim}, dtype, 3)),
        next(random({dim}, dtype, 4)),
        gate(random({dim}, dtype, 5)),
        scale(random({dim}, dtype, 6)) {}
  void to(at::Device device) {
    for (at::Tensor* t : {&x, &residual, &weight, &next, &gate, &scale}) *t = t->to(device);
  }
  std::vector<at::Tensor> all() const {
    const SumAndNorm gated = add_then_norm(residual, x, {weight, gate}, {next, scale}, 1e-5);
    const SumAndNorm bare = add_then_norm(residual, x, {}, {next, {}}, 1e-5);
    const SumAndNorm gemma = add_then_norm_one_plus(residual, x, weight, next, 1e-5);
    return {rms_norm(x, weight, 1e-5),
            rms_norm(x, weight, 1e-5, scale),
            rms_norm_one_plus(x, weight, 1e-5),
            layer_norm(x + 3, scale, 1e-5),
            add_norm(residual, x, {weight, {}}, 1e-5),
            add_norm(residual, x, {weight, gate}, 1e-5),
            gated.sum,
            gated.norm,
            bare.sum,
            bare.norm,
            gemma.sum,
            gemma.norm};
  }
};

TEST(RmsNorm, KernelsEqualThePlainBodyOnAGpu) {
  TRIREME_NEEDS_GPU();
  const std::int64_t shapes[][2] = {{37, 8},      {37, 128},   {37, 512},  {37, 2304}, {37, 2560},
                                    {37, 3840},   {37, 5120},  {37, 8192}, {7001, 64}, {3001, 1032},
                                    {1501, 3840}, {701, 5120}, {37, 20},   {37, 10240}};  // 20, 10240: no kernel; many
                                                                                          // rows: several a block
  for (const at::ScalarType dtype : kDtypes) {
    for (const auto& [rows, dim] : shapes) {
      Operands operands(rows, dim, dtype);
      const std::vector<at::Tensor> expected = operands.all();
      operands.to(at::kCUDA);
      const std::vector<at::Tensor> got = operands.all();
      for (std::size_t i = 0; i < got.size(); ++i) {
        EXPECT_LT(relative_error(got[i], expected[i]), tolerance(dtype)) << dim << ", result " << i;
      }
    }
  }
}

TEST(AddThenNorm, FusedAndApartGiveTheSameBitsOnAGpu) {
  TRIREME_NEEDS_GPU();
  Operands o(1501, 3840, at::kBFloat16);
  o.to(at::kCUDA);
  const SumAndNorm both = add_then_norm(o.residual, o.x, {o.weight, o.gate}, {o.next, o.scale}, 1e-5);
  const at::Tensor sum = add_norm(o.residual, o.x, {o.weight, o.gate}, 1e-5);
  EXPECT_TRUE(at::equal(both.sum, sum));
  EXPECT_TRUE(at::equal(both.norm, rms_norm(sum, o.next, 1e-5, o.scale)));
}

}  // namespace
}  // namespace trireme
