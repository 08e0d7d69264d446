#include "worker/nn/dit_block.h"

#include <ATen/ATen.h>

#include "worker/kernels/gate.h"
#include "worker/kernels/norm.h"
#include "worker/kernels/rope.h"
#include "worker/nn/attention.h"

namespace trireme::nn {

void DitBlock::want_attention(Parameters& parameters, const std::string& prefix, const DitBlockConfig& config,
                              const DitBlockNames& names) {
  const std::int64_t dim = config.dim, q_rows = config.heads * config.head_dim,
                     kv_rows = config.kv_heads * config.head_dim;
  if (!names.qkv.empty()) {
    const std::string qkv = prefix + names.qkv + ".weight";
    const std::int64_t rows = q_rows + 2 * kv_rows;
    parameters.want_rows(qkv, {rows, dim}, 0, q_rows, &to_q_.weight);
    parameters.want_rows(qkv, {rows, dim}, q_rows, kv_rows, &to_k_.weight);
    parameters.want_rows(qkv, {rows, dim}, q_rows + kv_rows, kv_rows, &to_v_.weight);
  } else {
    to_q_.want(parameters, prefix + names.to_q, q_rows, dim, Bias::none);
    to_k_.want(parameters, prefix + names.to_k, kv_rows, dim, Bias::none);
    to_v_.want(parameters, prefix + names.to_v, kv_rows, dim, Bias::none);
  }
  to_out_.want(parameters, prefix + names.to_out, dim, q_rows, Bias::none);
  if (config.qk_norm) {
    parameters.want(prefix + names.norm_q + ".weight", {config.head_dim}, &norm_q_);
    parameters.want(prefix + names.norm_k + ".weight", {config.head_dim}, &norm_k_);
  }
  parameters.want(prefix + names.attention_norm1 + ".weight", {dim}, &attention_norm1_);
  parameters.want(prefix + names.attention_norm2 + ".weight", {dim}, &attention_norm2_);
}

void DitBlock::want(Parameters& parameters, const std::string& prefix, const DitBlockConfig& config,
                    const DitBlockNames& names, bool modulated, LayerPart part) {
  const std::int64_t dim = config.dim;
  if (attends(part)) want_attention(parameters, prefix, config, names);
  if (feeds_forward(part)) {
    w1_.want(parameters, prefix + names.w1, config.feed_forward, dim, Bias::none);
    w2_.want(parameters, prefix + names.w2, dim, config.feed_forward, Bias::none);
    w3_.want(parameters, prefix + names.w3, config.feed_forward, dim, Bias::none);
    parameters.want(prefix + names.ffn_norm1 + ".weight", {dim}, &ffn_norm1_);
    parameters.want(prefix + names.ffn_norm2 + ".weight", {dim}, &ffn_norm2_);
  }
  if (modulated) modulation_.want(parameters, prefix + names.modulation, 4 * dim, config.condition_dim, Bias::present);
}

at::Tensor DitBlock::attend(const at::Tensor& x, const RopeTable& rope, const DitBlockConfig& config) const {
  const auto heads = [&](const Linear& layer) { return layer(x).view({x.size(0), -1, config.head_dim}); };
  const at::Tensor q = heads(to_q_), k = heads(to_k_), v = heads(to_v_);
  if (config.qk_norm) {
    kernels::norm_rope_(q, norm_q_, config.qk_norm_eps, rope, kernels::RopePairs::adjacent);
    kernels::norm_rope_(k, norm_k_, config.qk_norm_eps, rope, kernels::RopePairs::adjacent);
  } else {
    kernels::rope_(q, rope, kernels::RopePairs::adjacent);
    kernels::rope_(k, rope, kernels::RopePairs::adjacent);
  }
  return to_out_(attention(q, k, v));
}

at::Tensor DitBlock::operator()(const at::Tensor& x, const RopeTable& rope, const at::Tensor& condition,
                                const DitBlockConfig& config, LayerPart part) const {
  at::Tensor scale_msa, gate_msa, scale_mlp, gate_mlp;
  if (condition.defined()) {
    const at::Tensor modulation = modulation_(condition).view({4, config.dim});
    scale_msa = modulation.select(0, 0), gate_msa = modulation.select(0, 1);
    scale_mlp = modulation.select(0, 2), gate_mlp = modulation.select(0, 3);
  }
  const double eps = config.norm_eps;
  at::Tensor middle = x;
  if (attends(part)) {
    const at::Tensor attended = attend(kernels::rms_norm(x, attention_norm1_, eps, scale_msa), rope, config);
    middle = kernels::add_gated_norm(x, attended, attention_norm2_, eps, gate_msa);
  }
  if (!feeds_forward(part)) return middle;
  const at::Tensor h = kernels::rms_norm(middle, ffn_norm1_, eps, scale_mlp);
  const at::Tensor fed = w2_(kernels::silu_mul(w1_(h), w3_(h)));
  return kernels::add_gated_norm(middle, fed, ffn_norm2_, eps, gate_mlp);
}

}  // namespace trireme::nn
