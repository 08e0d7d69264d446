#include "worker/kernels/rope.h"

#include <cmath>

#include "common/errors.h"
#include "tests/worker/kernels/compare.h"
#include "worker/kernels/norm.h"

namespace trireme {
namespace {

using namespace kernels;

RopeTable table(std::int64_t tokens, std::int64_t head_dim) {
  const at::Tensor angle = random({tokens, head_dim / 2}, at::kFloat, 7) * 3;
  return {angle.cos(), angle.sin()};
}

TEST(Rope, TurnsAdjacentPairsAsComplexNumbers) {
  const RopeTable angles = table(3, 16);
  const at::Tensor x = random({3, 2, 16}, at::kFloat, 1), before = x.clone();
  rope_(x, angles, RopePairs::adjacent);
  const at::Tensor turned = at::view_as_real(at::view_as_complex(before.reshape({3, 2, 8, 2})) *
                                             at::complex(angles.cos, angles.sin).unsqueeze(1));
  EXPECT_LT(relative_error(x, turned.flatten(2)), 1e-6);
}

TEST(Rope, TurnsHalvesAsQwenDoes) {
  for (const at::ScalarType dtype : kDtypes) {
    const RopeTable angles = table(3, 16);
    const at::Tensor x = random({3, 2, 16}, dtype, 1), before = x.clone();
    rope_(x, angles, RopePairs::halves);
    const at::Tensor cos = at::cat({angles.cos, angles.cos}, 1).unsqueeze(1).to(dtype);
    const at::Tensor sin = at::cat({angles.sin, angles.sin}, 1).unsqueeze(1).to(dtype);
    const at::Tensor rotated = at::cat({-before.narrow(2, 8, 8), before.narrow(2, 0, 8)}, 2);
    EXPECT_TRUE(at::equal(x, before * cos + rotated * sin)) << dtype;
  }
}

TEST(Rope, TurnsHalvesInFloat32AsVisionTowersDo) {
  for (const at::ScalarType dtype : kDtypes) {
    const RopeTable angles = table(3, 16);
    const at::Tensor x = random({3, 2, 16}, dtype, 1), before = x.to(at::kFloat).clone();
    rope_(x, angles, RopePairs::halves_float32);
    const at::Tensor cos = at::cat({angles.cos, angles.cos}, 1).unsqueeze(1);
    const at::Tensor sin = at::cat({angles.sin, angles.sin}, 1).unsqueeze(1);
    const at::Tensor rotated = at::cat({-before.narrow(2, 8, 8), before.narrow(2, 0, 8)}, 2);
    EXPECT_TRUE(at::equal(x, (before * cos + rotated * sin).to(dtype))) << dtype;
  }
}

TEST(Rope, WritesIntoAViewAndNowhereElse) {
  const at::Tensor fused = random({3, 3, 2, 16}, at::kFloat, 1), before = fused.clone();
  rope_(fused.select(1, 1), table(3, 16), RopePairs::adjacent);
  EXPECT_TRUE(at::equal(fused.select(1, 0), before.select(1, 0)));
  EXPECT_TRUE(at::equal(fused.select(1, 2), before.select(1, 2)));
  EXPECT_FALSE(at::equal(fused.select(1, 1), before.select(1, 1)));
}

TEST(Rope, NormsEachHeadOfQAndOfKFirst) {
  for (const RopePairs pairs : {RopePairs::adjacent, RopePairs::halves}) {
    const at::Tensor qk = random({3, 5, 16}, at::kBFloat16, 1);
    const HeadNorm norm{random({16}, at::kBFloat16, 2), random({16}, at::kBFloat16, 3), 1e-5};
    const at::Tensor expected =
        at::cat({rms_norm(qk.narrow(1, 0, 3), norm.q, 1e-5), rms_norm(qk.narrow(1, 3, 2), norm.k, 1e-5)}, 1);
    rope_(expected, table(3, 16), pairs);
    norm_rope_(qk, 3, norm, table(3, 16), pairs);
    EXPECT_TRUE(at::equal(qk, expected));
  }
}

TEST(Rope, RefusesATableOfAnotherShape) {
  const at::Tensor x = random({3, 2, 16}, at::kFloat, 1);
  EXPECT_THROW(rope_(x, table(4, 16), RopePairs::adjacent), Error);
  EXPECT_THROW(rope_(x, table(3, 8), RopePairs::halves), Error);
  EXPECT_THROW(norm_rope_(x, 1, {at::ones({8}), at::ones({16}), 1e-5}, table(3, 16), RopePairs::halves), Error);
  EXPECT_THROW(norm_rope_(x, 2, {at::ones({16}), at::ones({16}), 1e-5}, table(3, 16), RopePairs::halves), Error);
}

TEST(Rope, KernelsEqualThePlainBodyOnAGpu) {
  TRIREME_NEEDS_GPU();
  for (const at::ScalarType dtype : kDtypes) {
    for (const std::int64_t head_dim : {16, 64, 80, 96, 128, 256, 24}) {  // 24: no kernel
      for (const RopePairs pairs : {RopePairs::adjacent, RopePairs::halves, RopePairs::halves_float32}) {
        const at::Tensor fused = random({33, 3, 5, head_dim}, dtype, 1), weight = random({head_dim}, dtype, 2);
        const at::Tensor k_weight = random({head_dim}, dtype, 3);
        const at::Tensor on_gpu = fused.to(at::kCUDA), untouched = fused.clone();
        const RopeTable angles = table(33, head_dim);
        const RopeTable gpu_angles{angles.cos.to(at::kCUDA), angles.sin.to(at::kCUDA)};
        for (const at::Tensor& t : {fused, on_gpu}) {
          const RopeTable& its = t.is_cuda() ? gpu_angles : angles;
          rope_(t.select(1, 0), its, pairs);
          norm_rope_(t.select(1, 1), 3, {weight.to(t.device()), k_weight.to(t.device()), 1e-5}, its, pairs);
        }
        EXPECT_LT(relative_error(on_gpu.select(1, 0), fused.select(1, 0)), tolerance(dtype)) << head_dim;
        EXPECT_LT(relative_error(on_gpu.select(1, 1), fused.select(1, 1)), tolerance(dtype)) << head_dim;
        EXPECT_TRUE(at::equal(on_gpu.select(1, 2).cpu(), untouched.select(1, 2))) << head_dim;
      }
    }
  }
}

}  // namespace
}  // namespace trireme
