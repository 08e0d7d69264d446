#include "worker/nn/attention.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <cmath>

#include "worker/kernels/capability.h"
#include "worker/kernels/hopper_attention.h"

namespace trireme::nn {
namespace {

struct Shape {
  std::int64_t tokens, heads, kv_heads, head_dim;
};

/// q, k and v as views of one fused product, bfloat16.
struct Heads {
  explicit Heads(const Shape& s, at::Device device = at::kCPU) {
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(7);
    const at::Tensor fused =
        at::randn({s.tokens, s.heads + 2 * s.kv_heads, s.head_dim}, generator, at::kFloat).to(at::kBFloat16).to(device);
    q = fused.narrow(1, 0, s.heads), k = fused.narrow(1, s.heads, s.kv_heads);
    v = fused.narrow(1, s.heads + s.kv_heads, s.kv_heads);
  }
  at::Tensor q, k, v;
};

/// softmax(q k / sqrt(head_dim)) v written out in float32.
at::Tensor exact(const Heads& h, bool causal) {
  const std::int64_t heads = h.q.size(1), group = heads / h.k.size(1), tokens = h.q.size(0);
  std::vector<at::Tensor> outs;
  for (std::int64_t i = 0; i < heads; ++i) {
    const auto head = [](const at::Tensor& t, std::int64_t at) { return t.select(1, at).to(at::kFloat); };
    at::Tensor scores = head(h.q, i).matmul(head(h.k, i / group).t()) / std::sqrt(static_cast<float>(h.q.size(2)));
    if (causal)
      scores = scores.masked_fill(at::ones({tokens, tokens}, scores.options().dtype(at::kBool)).triu(1), -1e30);
    outs.push_back(at::softmax(scores, 1).matmul(head(h.v, i / group)));
  }
  return at::cat(outs, 1);
}

double error(const at::Tensor& got, const at::Tensor& expected) {
  return ((got.to(at::kFloat) - expected).norm() / expected.norm()).item<double>();
}

TEST(Attention, TakesViewsOfAFusedProductAndFewerKeyHeads) {
  for (const Shape& shape : {Shape{40, 4, 4, 16}, Shape{40, 6, 2, 24}, Shape{40, 1, 1, 512}}) {
    const Heads heads(shape);
    AttentionOptions causal;
    causal.causal = true;
    EXPECT_LT(error(attention(heads.q, heads.k, heads.v), exact(heads, false)), 1e-2) << shape.head_dim;
    EXPECT_LT(error(attention(heads.q, heads.k, heads.v, causal), exact(heads, true)), 1e-2) << shape.head_dim;
  }
}

/// Three sequences in one call, beside each in a call of its own.
void expect_sequences_apart(const Shape& each, at::Device device) {
  const Heads all({3 * each.tokens, each.heads, each.kv_heads, each.head_dim}, device);
  const auto cut = [&](const at::Tensor& x) { return x.unflatten(0, {3, each.tokens}); };
  const at::Tensor got = attention(cut(all.q), cut(all.k), cut(all.v));
  ASSERT_EQ(got.sizes(), at::IntArrayRef({3 * each.tokens, each.heads * each.head_dim}));
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto own = [&](const at::Tensor& x) { return cut(x).select(0, i); };
    EXPECT_TRUE(at::equal(got.narrow(0, i * each.tokens, each.tokens), attention(own(all.q), own(all.k), own(all.v))))
        << each.tokens << " tokens, sequence " << i;
  }
}

TEST(Attention, SequencesOfOneCallSeeOnlyThemselves) {
  for (const Shape& shape : {Shape{40, 4, 4, 16}, Shape{33, 6, 2, 24}}) expect_sequences_apart(shape, at::kCPU);
}

TEST(Attention, SequencesOfOneCallSeeOnlyThemselvesOnAGpu) {
  if (!at::hasCUDA()) GTEST_SKIP() << "no GPU: the kernels were not run";
  for (const Shape& shape :
       {Shape{1152, 30, 30, 128}, Shape{1088, 30, 30, 128}, Shape{1120, 24, 8, 96}, Shape{96, 30, 30, 128}}) {
    expect_sequences_apart(shape, at::Device(at::kCUDA, 0));
  }
}

TEST(Attention, EveryKernelFollowsTheFormulaAndGivesTheSameBitsTwiceOnAGpu) {
  if (!at::hasCUDA()) GTEST_SKIP() << "no GPU: the kernels were not run";
  const at::Device device(at::kCUDA, 0);
  const bool hopper = kernels::capability(device) / 10 == 9;
  const AttentionKernel fast = hopper ? AttentionKernel::cudnn : AttentionKernel::flash;
  const bool ours = kernels::has_hopper_attention(at::ones({1, 96}, at::TensorOptions(at::kBFloat16).device(device)));
  const AttentionKernel fastest = ours ? AttentionKernel::hopper : fast;
  const std::pair<Shape, AttentionKernel> cases[] = {{{1152, 30, 30, 128}, fast},
                                                     {{1187, 24, 8, 96}, fastest},
                                                     {{1088, 30, 30, 128}, fastest},
                                                     {{4224, 30, 30, 128}, fastest},
                                                     {{4160, 30, 30, 128}, fastest},
                                                     {{960, 30, 30, 128}, fast},
                                                     {{384, 30, 30, 128}, fast},
                                                     {{512, 24, 8, 96}, fast},
                                                     {{96, 30, 30, 128}, AttentionKernel::flash},
                                                     {{1030, 1, 1, 512}, AttentionKernel::products},
                                                     {{16384, 1, 1, 512}, AttentionKernel::products}};
  for (const auto& [shape, kernel] : cases) {
    const Heads heads(shape, device);
    EXPECT_EQ(attention_kernel(heads.q, heads.k), kernel) << shape.tokens;
    const at::Tensor got = attention(heads.q, heads.k, heads.v);
    EXPECT_LT(error(got, exact(heads, false)), 1e-2) << shape.tokens;
    EXPECT_TRUE(at::equal(got, attention(heads.q, heads.k, heads.v))) << shape.tokens;
  }
}

}  // namespace
}  // namespace trireme::nn
