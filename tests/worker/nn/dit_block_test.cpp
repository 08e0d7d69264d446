#include "worker/nn/dit_block.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "worker/weights/loader.h"
#include "worker/weights/pairs.h"

namespace trireme::nn {
namespace {

DitBlockNames names(bool fused) {
  DitBlockNames names;
  if (fused) names.qkv = "qkv";
  names.to_q = "q", names.to_k = "k", names.to_v = "v", names.to_out = "out";
  names.norm_q = "norm_q", names.norm_k = "norm_k", names.w1 = "w1", names.w2 = "w2", names.w3 = "w3";
  names.attention_norm1 = "n1", names.attention_norm2 = "n2", names.ffn_norm1 = "n3", names.ffn_norm2 = "n4";
  names.modulation = "modulation";
  return names;
}

/// A block with random weights and what it is called with: 12 tokens.
struct Case {
  explicit Case(LayerPart part = LayerPart::whole, bool in_pairs = false) {
    config.dim = 48, config.heads = 3, config.kv_heads = 1, config.head_dim = 16;
    config.feed_forward = 64, config.condition_dim = 8;
    PartParameters wanted;
    block.want(wanted["transformer"], "", config, names(false), /*modulated=*/true, part);
    make_dummy_weights(wanted, at::kFloat, at::kCPU);
    if (in_pairs) put_in_pairs(wanted, at::kCPU);
    at::manual_seed(3);
    x = at::randn({12, 48}), condition = at::randn({1, 8}) * 20;
    const at::Tensor angle = at::randn({12, 8});
    rope = {angle.cos(), angle.sin()};
  }

  at::Tensor factors() const { return block.factors(condition)[0]; }
  at::Tensor run(const at::Tensor& rows, const at::Tensor& factors, LayerPart part = LayerPart::whole) const {
    return block({rows, {}}, rope, factors, config, part).hidden;
  }

  DitBlockConfig config;
  DitBlock block;
  at::Tensor x, condition;
  RopeTable rope;
};

TEST(DitBlock, TakesSeveralPicturesAsEachAlone) {
  const Case c;
  const Pictures pictures{4, 4, 3, 1};
  const at::Tensor together = c.block({c.x, {}}, c.rope, c.factors(), c.config, LayerPart::whole, pictures).hidden;
  std::int64_t first = 0;
  for (const std::int64_t rows : pictures) {
    const RopeTable rope{c.rope.cos.narrow(0, first, rows), c.rope.sin.narrow(0, first, rows)};
    const at::Tensor alone = c.block({c.x.narrow(0, first, rows), {}}, rope, c.factors(), c.config).hidden;
    // Products of more rows may be summed in another order.
    EXPECT_LT((together.narrow(0, first, rows) - alone).abs().max().item<float>(), 1e-5f);
    first += rows;
  }
}

TEST(DitBlock, HalvesOfACutBlockGiveTheBitsOfTheWhole) {
  const Case whole, first(LayerPart::attention), second(LayerPart::feed_forward);
  const at::Tensor factors = whole.factors();
  const at::Tensor middle = first.run(whole.x, factors, LayerPart::attention);
  EXPECT_TRUE(at::equal(second.run(middle, factors, LayerPart::feed_forward), whole.run(whole.x, factors)));
}

TEST(DitBlock, IsTheSameWithItsGateInPairs) {
  const Case stacked, whole(LayerPart::whole, /*in_pairs=*/true), first(LayerPart::attention, true),
      second(LayerPart::feed_forward, true);
  const at::Tensor factors = whole.factors(), out = whole.run(whole.x, factors);
  // A product's columns may be summed in another order.
  EXPECT_LT((out - stacked.run(stacked.x, factors)).abs().max().item<float>(), 1e-5f);
  const at::Tensor middle = first.run(whole.x, factors, LayerPart::attention);
  EXPECT_TRUE(at::equal(second.run(middle, factors, LayerPart::feed_forward), out));
}

}  // namespace
}  // namespace trireme::nn
