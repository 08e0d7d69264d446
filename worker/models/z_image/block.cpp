#include "worker/models/z_image/block.h"

#include <ATen/ATen.h>

#include "worker/kernels/gate.h"
#include "worker/kernels/norm.h"
#include "worker/kernels/rope.h"
#include "worker/nn/attention.h"

namespace trireme::z_image {
namespace {

constexpr double kQueryKeyEps = 1e-5;  // fixed in the reference, whatever norm_eps says

}  // namespace

void Block::want(Parameters& parameters, const std::string& prefix, const TransformerConfig& config, bool modulated) {
  using nn::Bias;
  const std::int64_t dim = config.dim;
  if (config.names.fused) {
    const std::string qkv = prefix + "attention.qkv.weight";
    parameters.want_rows(qkv, {3 * dim, dim}, 0, dim, &to_q_.weight);
    parameters.want_rows(qkv, {3 * dim, dim}, dim, dim, &to_k_.weight);
    parameters.want_rows(qkv, {3 * dim, dim}, 2 * dim, dim, &to_v_.weight);
  } else {
    to_q_.want(parameters, prefix + "attention.to_q", dim, dim, Bias::none);
    to_k_.want(parameters, prefix + "attention.to_k", dim, dim, Bias::none);
    to_v_.want(parameters, prefix + "attention.to_v", dim, dim, Bias::none);
  }
  to_out_.want(parameters, prefix + config.names.to_out(), dim, dim, Bias::none);
  if (config.qk_norm) {
    parameters.want(prefix + config.names.norm_q(), {config.head_dim}, &norm_q_);
    parameters.want(prefix + config.names.norm_k(), {config.head_dim}, &norm_k_);
  }
  w1_.want(parameters, prefix + "feed_forward.w1", config.feed_forward, dim, Bias::none);
  w2_.want(parameters, prefix + "feed_forward.w2", dim, config.feed_forward, Bias::none);
  w3_.want(parameters, prefix + "feed_forward.w3", config.feed_forward, dim, Bias::none);
  parameters.want(prefix + "attention_norm1.weight", {dim}, &attention_norm1_);
  parameters.want(prefix + "attention_norm2.weight", {dim}, &attention_norm2_);
  parameters.want(prefix + "ffn_norm1.weight", {dim}, &ffn_norm1_);
  parameters.want(prefix + "ffn_norm2.weight", {dim}, &ffn_norm2_);
  if (modulated) {
    adaln_modulation_.want(parameters, prefix + "adaLN_modulation.0", 4 * dim, config.adaln_dim, Bias::present);
  }
}

at::Tensor Block::attend(const at::Tensor& x, const nn::RopeTable& rope, const TransformerConfig& config) const {
  const auto heads = [&](const nn::Linear& layer) { return layer(x).view({x.size(0), config.heads, config.head_dim}); };
  const at::Tensor q = heads(to_q_), k = heads(to_k_), v = heads(to_v_);
  if (config.qk_norm) {
    kernels::norm_rope_(q, norm_q_, kQueryKeyEps, rope, kernels::RopePairs::adjacent);
    kernels::norm_rope_(k, norm_k_, kQueryKeyEps, rope, kernels::RopePairs::adjacent);
  } else {
    kernels::rope_(q, rope, kernels::RopePairs::adjacent);
    kernels::rope_(k, rope, kernels::RopePairs::adjacent);
  }
  return to_out_(nn::attention(q, k, v));
}

at::Tensor Block::operator()(const at::Tensor& x, const nn::RopeTable& rope, const at::Tensor& adaln,
                             const TransformerConfig& config) const {
  at::Tensor scale_msa, gate_msa, scale_mlp, gate_mlp;
  if (adaln.defined()) {
    const at::Tensor modulation = adaln_modulation_(adaln).view({4, config.dim});
    scale_msa = modulation.select(0, 0), gate_msa = modulation.select(0, 1);
    scale_mlp = modulation.select(0, 2), gate_mlp = modulation.select(0, 3);
  }
  const double eps = config.norm_eps;
  const at::Tensor attended = attend(kernels::rms_norm(x, attention_norm1_, eps, scale_msa), rope, config);
  const at::Tensor middle = kernels::add_gated_norm(x, attended, attention_norm2_, eps, gate_msa);
  const at::Tensor h = kernels::rms_norm(middle, ffn_norm1_, eps, scale_mlp);
  const at::Tensor fed = w2_(kernels::silu_mul(w1_(h), w3_(h)));
  return kernels::add_gated_norm(middle, fed, ffn_norm2_, eps, gate_mlp);
}

}  // namespace trireme::z_image
