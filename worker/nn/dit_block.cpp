#include "worker/nn/dit_block.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "worker/kernels/decode.h"
#include "worker/kernels/gated_product.h"
#include "worker/kernels/rope.h"
#include "worker/nn/attention.h"

namespace trireme::nn {

void DitBlock::want_attention(Parameters& parameters, const std::string& prefix, const DitBlockConfig& config,
                              const DitBlockNames& names) {
  const std::int64_t dim = config.dim, q_rows = config.heads * config.head_dim,
                     kv_rows = config.kv_heads * config.head_dim;
  if (!names.qkv.empty()) {
    qkv_.want(parameters, prefix + names.qkv, q_rows + 2 * kv_rows, dim, Bias::none);
  } else {
    qkv_.want_joined(parameters,
                     {{prefix + names.to_q, q_rows}, {prefix + names.to_k, kv_rows}, {prefix + names.to_v, kv_rows}},
                     dim, Bias::none);
  }
  to_out_.want(parameters, prefix + names.to_out, dim, q_rows, Bias::none);
  for (Linear* product : {&qkv_, &to_out_}) product->allow_fp8(parameters);
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
    w13_.want_joined(parameters, {{prefix + names.w1, config.feed_forward}, {prefix + names.w3, config.feed_forward}},
                     dim, Bias::none);
    w2_.want(parameters, prefix + names.w2, dim, config.feed_forward, Bias::none);
    for (Linear* product : {&w13_, &w2_}) product->allow_fp8(parameters);
    w13_.allow_pairs(parameters);
    parameters.want(prefix + names.ffn_norm1 + ".weight", {dim}, &ffn_norm1_);
    parameters.want(prefix + names.ffn_norm2 + ".weight", {dim}, &ffn_norm2_);
  }
  if (modulated) modulation_.want(parameters, prefix + names.modulation, 4 * dim, config.condition_dim, Bias::present);
}

at::Tensor DitBlock::attend(const at::Tensor& x, const RopeTable& rope, const DitBlockConfig& config,
                            const Pictures& pictures) const {
  const std::int64_t heads = config.heads, kv_heads = config.kv_heads;
  const at::Tensor qkv = qkv_(x).view({x.size(0), heads + 2 * kv_heads, config.head_dim});
  const at::Tensor qk = qkv.narrow(1, 0, heads + kv_heads);
  if (config.qk_norm) {
    kernels::norm_rope_(qk, heads, {norm_q_, norm_k_, config.qk_norm_eps}, rope, kernels::RopePairs::adjacent);
  } else {
    kernels::rope_(qk, rope, kernels::RopePairs::adjacent);
  }
  const auto attended = [&](const at::Tensor& own) {
    return attention(own.narrow(-2, 0, heads), own.narrow(-2, heads, kv_heads),
                     own.narrow(-2, heads + kv_heads, kv_heads));
  };
  if (pictures.empty()) return to_out_(attended(qkv));
  std::vector<at::Tensor> outs;
  std::int64_t first = 0;
  for (auto one = pictures.begin(); one != pictures.end();) {  // neighbours of one length together
    const auto next = std::find_if(one, pictures.end(), [&](std::int64_t rows) { return rows != *one; });
    const std::int64_t count = next - one, rows = count * *one;
    outs.push_back(attended(qkv.narrow(0, first, rows).unflatten(0, {count, *one})));
    first += rows;
    one = next;
  }
  return to_out_(outs.size() == 1 ? outs[0] : at::cat(outs));
}

at::Tensor DitBlock::feed_forward(const at::Tensor& x) const {
  if (w13_.in_pairs) return w2_(kernels::gated_product(x, w13_.weight));
  const at::Tensor both = w13_(x);
  const std::int64_t dim = both.size(1) / 2;
  return w2_.of_silu_mul(both.narrow(1, 0, dim), both.narrow(1, dim, dim));
}

at::Tensor DitBlock::factors(const at::Tensor& vectors) const {
  return kernels::modulation(vectors, modulation_.weight, modulation_.bias);
}

kernels::ScaledNorm DitBlock::first_norm(const at::Tensor& factors) const {
  return {attention_norm1_, factors.defined() ? factors[0] : at::Tensor()};
}

DitRows DitBlock::operator()(const DitRows& rows, const RopeTable& rope, const at::Tensor& factors,
                             const DitBlockConfig& config, LayerPart part, const Pictures& pictures,
                             const kernels::ScaledNorm& next) const {
  at::Tensor gate_msa, scale_mlp, gate_mlp;
  if (factors.defined()) gate_msa = factors[1], scale_mlp = factors[2], gate_mlp = factors[3];
  const double eps = config.norm_eps;
  const auto norm = [&](const kernels::ScaledNorm& by) {
    return rows.norm.defined() ? rows.norm : kernels::rms_norm(rows.hidden, by.weight, eps, by.factor);
  };
  const kernels::ScaledNorm of_attended{attention_norm2_, gate_msa}, before_feed{ffn_norm1_, scale_mlp},
      of_fed{ffn_norm2_, gate_mlp};
  kernels::SumAndNorm middle{rows.hidden, {}};
  if (attends(part)) {
    const at::Tensor attended = attend(norm(first_norm(factors)), rope, config, pictures);
    if (!feeds_forward(part)) return {kernels::add_norm(rows.hidden, attended, of_attended, eps), {}};
    middle = kernels::add_then_norm(rows.hidden, attended, of_attended, before_feed, eps);
  } else {
    middle.norm = norm(before_feed);
  }
  const at::Tensor fed = feed_forward(middle.norm);
  if (!next.weight.defined()) return {kernels::add_norm(middle.sum, fed, of_fed, eps), {}};
  const kernels::SumAndNorm end = kernels::add_then_norm(middle.sum, fed, of_fed, next, eps);
  return {end.sum, end.norm};
}

}  // namespace trireme::nn
