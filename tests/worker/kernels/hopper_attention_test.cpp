#include "worker/kernels/hopper_attention.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string>
#include <vector>

#include "common/errors.h"
#include "tests/worker/kernels/compare.h"
#include "worker/kernels/attention_shares.h"
#include "worker/kernels/call.h"
#include "worker/kernels/capability.h"

namespace trireme {
namespace {

using kernels::attention_shares;
using kernels::AttentionShares;
using kernels::hopper_attention;

TEST(AttentionShares, LeaveNoTileOutAndNoPartEmpty) {
  for (const int multiprocessors : {1, 7, 78, 132}) {
    for (int tiles = 1; tiles < 1000; ++tiles) {
      for (const int key_tiles : {1, 2, 3, 24}) {
        const AttentionShares s = attention_shares(tiles, key_tiles, multiprocessors);
        ASSERT_EQ(s.whole + s.split, tiles);
        ASSERT_GE(s.splits, 1);
        ASSERT_LE(s.splits, key_tiles);
        ASSERT_LE(s.split * s.splits, multiprocessors) << tiles << " tiles: the last turn is one";
        ASSERT_TRUE(s.split == 0 || (s.splits > 1 && s.whole % multiprocessors == 0));
      }
    }
  }
}

TEST(AttentionShares, SplitWhatAFewWouldWorkAtAlone) {
  const AttentionShares newbie = attention_shares(34 * 24, 23, 132);  // 4352 tokens
  EXPECT_EQ(newbie.whole, 6 * 132);
  EXPECT_EQ(newbie.split, 24);
  EXPECT_EQ(newbie.splits, 5);
  EXPECT_EQ(attention_shares(33 * 30, 24, 132).splits, 2);  // half of a turn is left
  EXPECT_EQ(attention_shares(10 * 24, 7, 132).whole, 240);  // most of one: as it is
  EXPECT_EQ(attention_shares(2 * 132, 24, 132).splits, 1);  // nothing
}

TEST(HopperAttention, IsForHopperInBfloat16AndTwoWidthsAlone) {
  EXPECT_FALSE(kernels::has_hopper_attention(at::ones({1, 4, 2, 96}, at::kBFloat16)));
  EXPECT_THROW(hopper_attention(at::ones({1, 4, 2, 96}), at::ones({1, 4, 2, 96}), at::ones({1, 4, 2, 96}), 1), Error);
  TRIREME_NEEDS_GPU();
  const auto has = [](std::int64_t width, at::ScalarType dtype) {
    return kernels::has_hopper_attention(at::ones({1, 4, 2, width}, at::TensorOptions(dtype).device(at::kCUDA)));
  };
  for (const std::int64_t width : {8, 64, 80, 192, 224, 256}) EXPECT_FALSE(has(width, at::kBFloat16)) << width;
  for (const std::int64_t width : {96, 128}) {
    EXPECT_FALSE(has(width, at::kFloat));
    EXPECT_TRUE(kernels::capability(at::kCUDA) == 90 || !has(width, at::kBFloat16));
  }
}

struct Shape {
  std::int64_t sequences, queries, keys, heads, kv_heads;
};

/// Of heads of a width.
class HopperAttentionOnAGpu : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    TRIREME_NEEDS_GPU();
    if (!kernels::has_hopper_attention(
            at::ones({1, 1, 1, width()}, at::TensorOptions(at::kBFloat16).device(at::kCUDA)))) {
      GTEST_SKIP() << "no Hopper GPU, or a build without CUTLASS";
    }
  }
  static std::int64_t width() { return GetParam(); }
  static at::Tensor on_gpu(at::IntArrayRef shape, std::uint64_t seed) {
    return random(shape, at::kFloat, seed).to(at::kCUDA, at::kBFloat16);
  }

  /// Heads of their own, not views of a product.
  struct Heads {
    at::Tensor q, k, v;
  };
  Heads heads(const Shape& s) const {
    return {on_gpu({s.sequences, s.queries, s.heads, width()}, 1),
            on_gpu({s.sequences, s.keys, s.kv_heads, width()}, 2),
            on_gpu({s.sequences, s.keys, s.kv_heads, width()}, 3)};
  }
  at::Tensor attend(const Heads& h, double scale) const { return hopper_attention(h.q, h.k, h.v, scale); }
  double scale() const { return 1 / std::sqrt(static_cast<double>(width())); }

  /// In float64, head by head.
  static at::Tensor exact(const Heads& h, double scale) {
    const std::int64_t group = h.q.size(2) / h.k.size(2);
    std::vector<at::Tensor> outs;
    for (std::int64_t i = 0; i < h.q.size(2); ++i) {
      const at::Tensor q = h.q.select(2, i).to(at::kDouble), k = h.k.select(2, i / group).to(at::kDouble);
      outs.push_back(
          at::softmax(q.matmul(k.transpose(1, 2)) * scale, 2).matmul(h.v.select(2, i / group).to(at::kDouble)));
    }
    return at::stack(outs, 2);
  }
  /// Relative, of all values together.
  static double error(const at::Tensor& got, const at::Tensor& expected) {
    return ((got.to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
  }
};

TEST_P(HopperAttentionOnAGpu, FollowsTheFormulaAndGivesTheSameBitsTwice) {
  for (const Shape& s :
       {Shape{1, 1, 1, 1, 1}, Shape{1, 64, 64, 2, 1}, Shape{1, 127, 175, 3, 3}, Shape{1, 128, 176, 6, 2},
        Shape{1, 129, 193, 4, 4}, Shape{2, 433, 433, 4, 1}, Shape{1, 1000, 7, 8, 2}, Shape{1, 5, 3000, 2, 2},
        Shape{1, 161, 320, 3, 1}, Shape{3, 1152, 1152, 30, 30}, Shape{4, 1088, 1088, 30, 30},
        Shape{1, 4160, 4160, 30, 30}, Shape{1, 2560, 2560, 24, 8}, Shape{1, 4352, 4352, 24, 8}}) {
    const Heads h = heads(s);
    const at::Tensor got = attend(h, scale());
    EXPECT_LT(error(got, exact(h, scale())), 4e-3) << s.queries << " x " << s.keys << ", " << s.heads << " heads";
    EXPECT_TRUE(at::equal(got, attend(h, scale())));
  }
}

TEST_P(HopperAttentionOnAGpu, HoldsLargeScores) {
  Heads h = heads({1, 300, 700, 2, 2});
  h.q.mul_(40);  // some weights are 1, most 0
  const at::Tensor got = attend(h, scale());
  EXPECT_TRUE(at::isfinite(got).all().item<bool>());
  EXPECT_LT(error(got, exact(h, scale())), 4e-3);
  EXPECT_LT(error(attend(h, 1e-9), exact(h, 1e-9)), 4e-3) << "all keys alike";
}

TEST_P(HopperAttentionOnAGpu, TakesViewsOfAFusedProductAndWritesNothingBehindTheLastRow) {
  constexpr std::int64_t heads = 6, kv_heads = 2;
  const at::Tensor fused = on_gpu({2, 333, heads + 2 * kv_heads, width()}, 4);
  const Heads views{fused.narrow(2, 0, heads), fused.narrow(2, heads, kv_heads),
                    fused.narrow(2, heads + kv_heads, kv_heads)};
  const Heads own{views.q.contiguous(), views.k.contiguous(), views.v.contiguous()};
  const at::Tensor expected = attend(own, scale());
  EXPECT_TRUE(at::equal(attend(views, scale()), expected));
  // Heads before tokens, and a start that is on no border of 16 bytes: read from copies.
  const at::Tensor turned = views.q.transpose(1, 2).contiguous().transpose(1, 2);
  const at::Tensor shifted =
      at::empty({own.k.numel() + 1}, own.k.options()).narrow(0, 1, own.k.numel()).view(own.k.sizes());
  shifted.copy_(own.k);
  EXPECT_TRUE(at::equal(hopper_attention(turned, shifted, views.v, scale()), expected));

  const at::Tensor q = own.q[0].contiguous(), k = own.k[0].contiguous(), v = own.v[0].contiguous();
  const at::Tensor out = at::full({333 + 256, heads, width()}, -7, q.options());
  kernels::HopperAttentionLaunch args{};
  args.q = q.data_ptr(), args.k = k.data_ptr(), args.v = v.data_ptr(), args.out = out.data_ptr();
  args.q_token = heads * width(), args.k_token = args.v_token = kv_heads * width();
  args.q_sequence = args.k_sequence = args.v_sequence = 8;
  args.sequences = 1, args.queries = args.keys = 333, args.heads = heads, args.kv_heads = kv_heads;
  args.width = GetParam();
  args.scale = static_cast<float>(scale());
  args.multiprocessors = kernels::multiprocessors(q.device());
  const at::Tensor partial = at::empty({args.partials()}, q.options().dtype(at::kFloat));
  args.partial = partial.data_ptr<float>();
  kernels::enqueue(q, "hopper_attention", [&](cudaStream_t stream) { return launch_hopper_attention(args, stream); });
  EXPECT_TRUE(at::equal(out.narrow(0, 0, 333), expected[0]));
  EXPECT_TRUE(at::equal(out.narrow(0, 333, 256), at::full({256, heads, width()}, -7, q.options())));
}

TEST_P(HopperAttentionOnAGpu, ASequenceHasTheBitsOfACallOfItsOwn) {
  for (const std::int64_t tokens : {200, 1120, 1700}) {
    const Heads all = heads({3, tokens, tokens, 12, 4});
    const at::Tensor got = attend(all, scale());
    for (std::int64_t i = 0; i < 3; ++i) {
      const auto own = [&](const at::Tensor& x) { return x.narrow(0, i, 1); };
      EXPECT_TRUE(at::equal(got.narrow(0, i, 1), attend({own(all.q), own(all.k), own(all.v)}, scale()))) << tokens;
    }
  }
}

TEST_P(HopperAttentionOnAGpu, TakesNoQueriesAndRefusesWhatDoesNotFit) {
  const Heads h = heads({1, 4, 5, 4, 2});
  EXPECT_EQ(hopper_attention(h.q.narrow(1, 0, 0), h.k, h.v, 1).sizes(), at::IntArrayRef({1, 0, 4, width()}));
  EXPECT_THROW(hopper_attention(h.q, h.k.narrow(1, 0, 0), h.v.narrow(1, 0, 0), 1), Error);
  EXPECT_THROW(hopper_attention(h.q.narrow(2, 0, 3), h.k, h.v, 1), Error);
  EXPECT_THROW(hopper_attention(h.q, h.k, h.v.narrow(1, 0, 4), 1), Error);
  EXPECT_THROW(hopper_attention(h.q, h.k.to(at::kFloat), h.v, 1), Error);
  EXPECT_THROW(hopper_attention(h.q[0], h.k[0], h.v[0], 1), Error);
  EXPECT_THROW(hopper_attention(h.q, h.k, h.v, 0), Error);
}

INSTANTIATE_TEST_SUITE_P(Widths, HopperAttentionOnAGpu, testing::Values(96, 128),
                         [](const auto& width) { return std::to_string(width.param); });

}  // namespace
}  // namespace trireme
