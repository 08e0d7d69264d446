#include "worker/kernels/fp8.h"

#include "common/errors.h"
#include "tests/worker/kernels/compare.h"
#include "worker/kernels/gate.h"

namespace trireme {
namespace {

using kernels::quantise_rows;
using kernels::ScaledRows;

at::Tensor wide(const ScaledRows& rows) { return rows.values.to(at::kDouble) * rows.scales.to(at::kDouble); }

at::Tensor product(const at::Tensor& x, const ScaledRows& weight, const at::Tensor& bias = {}) {
  return kernels::scaled_product(quantise_rows(x), weight, bias, x.scalar_type());
}

bool same_bits(const ScaledRows& got, const ScaledRows& expected) {
  return at::equal(got.values.cpu().view(at::kByte), expected.values.cpu().view(at::kByte)) &&
         at::equal(got.scales.cpu(), expected.scales.cpu());
}

TEST(Fp8, ValuesAreOffByAtMostASixteenthOfThemselves) {
  for (const at::ScalarType dtype : kDtypes) {
    const at::Tensor x = random({7, 96}, dtype, 1) * at::logspace(-3, 3, 7, 10).unsqueeze(1).to(dtype);
    const ScaledRows rows = quantise_rows(x);
    EXPECT_EQ(rows.values.scalar_type(), at::kFloat8_e4m3fn);
    EXPECT_EQ(rows.scales.sizes(), (at::IntArrayRef{7, 1}));
    // Three bits of mantissa; below 2^-6 of the scale steps are 2^-9 of it.
    const at::Tensor exact = x.to(at::kDouble), off = (wide(rows) - exact).abs();
    const at::Tensor allowed = at::maximum(exact.abs() / 16, rows.scales.to(at::kDouble) * std::ldexp(1.0, -10));
    EXPECT_TRUE((off <= allowed * (1 + 1e-6)).all().item<bool>());
  }
}

TEST(Fp8, TheLargestOfARowIsTheLargestOfTheFormat) {
  const at::Tensor x = at::tensor({-3.0f, 1.5f, 0.0f, 0.75f}).view({1, 4});
  const ScaledRows rows = quantise_rows(x);
  EXPECT_TRUE(at::equal(rows.values.to(at::kFloat), at::tensor({-448.0f, 224.0f, 0.0f, 112.0f}).view({1, 4})));
  EXPECT_EQ(rows.scales.item<float>(), 3.0f / 448);
}

TEST(Fp8, ARowOfZerosStaysSoAndOthersAreNotTouchedByIt) {
  const at::Tensor x = random({3, 16}, at::kFloat, 1);
  const ScaledRows alone = quantise_rows(x.narrow(0, 2, 1));
  x[1].zero_();
  const ScaledRows rows = quantise_rows(x);
  EXPECT_EQ(wide(rows)[1].abs().max().item<double>(), 0);
  EXPECT_TRUE(at::equal(wide(rows).narrow(0, 2, 1), wide(alone)));
}

TEST(Fp8, TheProductIsThatOfTheQuantisedMatrices) {
  const at::Tensor x = random({5, 48}, at::kFloat, 1), weight = random({32, 48}, at::kFloat, 2),
                   bias = random({32}, at::kFloat, 3);
  const ScaledRows held = quantise_rows(weight);
  const at::Tensor expected = at::matmul(wide(quantise_rows(x)), wide(held).t());
  EXPECT_LT(relative_error(product(x, held), expected), 1e-6);
  EXPECT_LT(relative_error(product(x, held, bias), expected + bias.to(at::kDouble)), 1e-6);
  EXPECT_EQ(product(x.to(at::kBFloat16), held).scalar_type(), at::kBFloat16);
}

TEST(Fp8, TheProductOfRandomMatricesIsOffByAFewPercent) {
  const at::Tensor x = random({64, 512}, at::kFloat, 1), weight = random({256, 512}, at::kFloat, 2);
  const at::Tensor exact = at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t());
  const at::Tensor off = product(x, quantise_rows(weight)).to(at::kDouble) - exact;
  const double relative = (off.norm() / exact.norm()).item<double>();
  EXPECT_LT(relative, 0.05);
  EXPECT_GT(relative, 0.01);  // it was quantised
}

TEST(Fp8, RefusesWhatCublasCanNotMultiply) {
  EXPECT_FALSE(kernels::fits_fp8({24, 32}));
  EXPECT_FALSE(kernels::fits_fp8({32, 8}));
  EXPECT_FALSE(kernels::fits_fp8({32}));
  EXPECT_TRUE(kernels::fits_fp8({288, 768}));
  EXPECT_THROW(product(at::ones({2, 24}), quantise_rows(at::ones({16, 24}))), Error);
  EXPECT_THROW(product(at::ones({2, 32}), quantise_rows(at::ones({16, 48}))), Error);
  EXPECT_THROW(quantise_rows(at::ones({2, 16}, at::kInt)), Error);
}

TEST(Fp8, KernelGivesTheBitsOfThePlainBodyOnAGpu) {
  TRIREME_NEEDS_GPU();
  for (const at::ScalarType dtype : kDtypes) {
    for (const std::int64_t dim : {16, 3840, 10240, 2064, 12288, 16384, 85}) {  // the last two: no kernel
      const at::Tensor x = random({19, 2 * dim}, dtype, 1).narrow(1, 0, dim);
      x[3].zero_();
      EXPECT_TRUE(same_bits(quantise_rows(x.to(at::kCUDA)), quantise_rows(x))) << dim;
    }
  }
}

TEST(Fp8, QuantisesAGatedProductAsInTwoSteps) {
  for (const at::Device device : {at::Device(at::kCPU), at::Device(at::kCUDA)}) {
    if (device.is_cuda() && !at::hasCUDA()) continue;
    for (const at::ScalarType dtype : kDtypes) {
      for (const std::int64_t dim : {16, 10240, 16384}) {
        const at::Tensor both = random({19, 2 * dim}, dtype, 1).to(device);
        const at::Tensor a = both.narrow(1, 0, dim), b = both.narrow(1, dim, dim);
        EXPECT_TRUE(same_bits(kernels::quantise_silu_mul(a, b), quantise_rows(kernels::silu_mul(a, b)))) << dim;
      }
    }
  }
}

TEST(Fp8, ProductEqualsThePlainBodyOnAGpu) {
  TRIREME_NEEDS_GPU();
  for (const std::int64_t rows : {1, 19, 128, 4224}) {
    const at::Tensor x = random({rows, 3840}, at::kBFloat16, 1), weight = random({1024, 3840}, at::kBFloat16, 2);
    const ScaledRows held = quantise_rows(weight);
    const ScaledRows on_gpu{held.values.to(at::kCUDA), held.scales.to(at::kCUDA)};
    // Tensor cores add with fewer bits than float32 (use_fast_accum); the result is rounded to bfloat16.
    EXPECT_LT(relative_error(product(x.to(at::kCUDA), on_gpu), product(x, held)), 1e-2) << rows;
  }
}

}  // namespace
}  // namespace trireme
