#include "worker/nn/decoder.h"

#include <ATen/ATen.h>

#include <utility>

#include "worker/kernels/gate.h"
#include "worker/kernels/norm.h"
#include "worker/kernels/rope.h"
#include "worker/nn/attention.h"
#include "worker/nn/upload.h"

namespace trireme::nn {
namespace {

at::Tensor norm(const at::Tensor& x, const at::Tensor& weight, const DecoderConfig& config) {
  return config.one_plus_norm ? kernels::rms_norm_one_plus(x, weight, config.norm_eps)
                              : kernels::rms_norm(x, weight, config.norm_eps);
}

/// residual + x, x normed first where `of_x` is defined, and the norm of the sum.
kernels::SumAndNorm add_then_norm(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& of_x,
                                  const at::Tensor& of_sum, const DecoderConfig& config) {
  return config.one_plus_norm ? kernels::add_then_norm_one_plus(residual, x, of_x, of_sum, config.norm_eps)
                              : kernels::add_then_norm(residual, x, {of_x, {}}, {of_sum, {}}, config.norm_eps);
}

}  // namespace

kernels::LayerCache KvCache::layer(std::size_t index) const {
  const auto place = static_cast<std::int64_t>(index - first_layer);
  return {keys.select(0, place), values.select(0, place)};
}

void DecoderLayer::want(Parameters& parameters, const std::string& prefix, const DecoderConfig& config,
                        LayerPart part) {
  const std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
  const std::int64_t q_rows = config.heads * config.head_dim, kv_rows = config.kv_heads * config.head_dim;
  const auto norm = [&](const char* name, at::Tensor& slot) {
    parameters.want(prefix + name + ".weight", {config.hidden}, &slot);
  };
  if (attends(part)) {
    qkv_proj_.want_joined(
        parameters, {{attention + "q_proj", q_rows}, {attention + "k_proj", kv_rows}, {attention + "v_proj", kv_rows}},
        config.hidden, config.qkv_bias ? Bias::present : Bias::none);
    o_proj_.want(parameters, attention + "o_proj", config.hidden, q_rows, config.out_bias ? Bias::present : Bias::none);
    if (config.qk_norm) {
      parameters.want(attention + "q_norm.weight", {config.head_dim}, &q_norm_);
      parameters.want(attention + "k_norm.weight", {config.head_dim}, &k_norm_);
    }
    norm("input_layernorm", input_layernorm_);
  }
  if (feeds_forward(part)) {
    const Bias feed = config.mlp_bias ? Bias::present : Bias::none;
    gate_up_proj_.want_joined(parameters,
                              {{mlp + "gate_proj", config.intermediate}, {mlp + "up_proj", config.intermediate}},
                              config.hidden, feed);
    down_proj_.want(parameters, mlp + "down_proj", config.hidden, config.intermediate, feed);
    if (config.post_norms) norm("pre_feedforward_layernorm", pre_feedforward_layernorm_);
    if (config.post_norms) norm("post_feedforward_layernorm", post_feedforward_layernorm_);
  }
  // Behind attention where there are four norms, in front of the MLP where there are two.
  if (config.post_norms ? attends(part) : feeds_forward(part)) {
    norm("post_attention_layernorm", post_attention_layernorm_);
  }
}

at::Tensor DecoderLayer::attend(const at::Tensor& x, const DecoderConfig& config, const DecoderPass& pass,
                                bool windowed, std::size_t index) const {
  const RopeTable& table = windowed ? pass.local_rope : pass.rope;
  const at::Tensor qkv = qkv_proj_(x).view({x.size(0), -1, config.head_dim});
  at::Tensor q = qkv.narrow(1, 0, config.heads), k = qkv.narrow(1, config.heads, config.kv_heads);
  const at::Tensor v = qkv.narrow(1, config.heads + config.kv_heads, config.kv_heads);
  if (config.qk_norm && config.one_plus_norm) {
    q = kernels::rms_norm_one_plus(q, q_norm_, config.norm_eps);
    k = kernels::rms_norm_one_plus(k, k_norm_, config.norm_eps);
    kernels::rope_(q, table, kernels::RopePairs::halves);
    kernels::rope_(k, table, kernels::RopePairs::halves);
  } else {
    const at::Tensor qk = qkv.narrow(1, 0, config.heads + config.kv_heads);
    if (config.qk_norm) {
      kernels::norm_rope_(qk, config.heads, {q_norm_, k_norm_, config.norm_eps}, table, kernels::RopePairs::halves);
    } else {
      kernels::rope_(qk, table, kernels::RopePairs::halves);
    }
  }
  if (pass.cache != nullptr) {
    const kernels::LayerCache cache = pass.cache->layer(index);
    cache.keys.select(0, pass.sequence).narrow(1, 0, x.size(0)).copy_(k.transpose(0, 1));
    cache.values.select(0, pass.sequence).narrow(1, 0, x.size(0)).copy_(v.transpose(0, 1));
  }
  AttentionOptions options;
  options.scale = config.attention_scale;
  options.causal = true;
  options.any_length = true;
  if (windowed) options.mask = pass.window_mask;
  const auto apart = [&](const at::Tensor& t) {
    return pass.sequences == 1 ? t : t.unflatten(0, {pass.sequences, x.size(0) / pass.sequences});
  };
  return o_proj_(attention(apart(q), apart(k), apart(v), options));
}

at::Tensor DecoderLayer::activate(const at::Tensor& gate_up, const DecoderConfig& config) const {
  const at::Tensor gate = gate_up.narrow(1, 0, config.intermediate);
  const at::Tensor up = gate_up.narrow(1, config.intermediate, config.intermediate);
  return config.activation == Activation::silu ? kernels::silu_mul(gate, up) : at::gelu(gate, "tanh") * up;
}

at::Tensor DecoderLayer::feed_forward(const at::Tensor& x, const DecoderConfig& config) const {
  return down_proj_(activate(gate_up_proj_(x), config));
}

at::Tensor DecoderLayer::operator()(const at::Tensor& hidden, const DecoderConfig& config, const DecoderPass& pass,
                                    std::size_t index, LayerPart part) const {
  const at::Tensor& before_feed = config.post_norms ? pre_feedforward_layernorm_ : post_attention_layernorm_;
  kernels::SumAndNorm middle{hidden, {}};
  if (attends(part)) {
    const at::Tensor attended =
        attend(norm(hidden, input_layernorm_, config), config, pass, config.windowed[index], index);
    if (!feeds_forward(part)) {
      return hidden + (config.post_norms ? norm(attended, post_attention_layernorm_, config) : attended);
    }
    middle = add_then_norm(hidden, attended, config.post_norms ? post_attention_layernorm_ : at::Tensor(), before_feed,
                           config);
  } else {
    middle.norm = norm(hidden, before_feed, config);
  }
  const at::Tensor fed = feed_forward(middle.norm, config);
  return middle.sum + (config.post_norms ? norm(fed, post_feedforward_layernorm_, config) : fed);
}

at::Tensor DecoderLayer::attend_step(const at::Tensor& hidden, const DecoderConfig& config, const DecoderStep& step,
                                     const kernels::LayerCache& cache) const {
  using kernels::few_rows_linear;
  const at::Tensor qkv = few_rows_linear(norm(hidden, input_layernorm_, config), qkv_proj_.weight, qkv_proj_.bias);
  kernels::rope_append_(qkv, step.rope, step.rows, cache);
  const at::Tensor q = qkv.view({hidden.size(0), -1, config.head_dim}).narrow(1, 0, config.heads);
  const at::Tensor attended = kernels::decode_attention(q, cache, step.rows, config.attention_scale);
  return few_rows_linear(attended, o_proj_.weight, o_proj_.bias, hidden);
}

at::Tensor DecoderLayer::step(const at::Tensor& hidden, const DecoderConfig& config, const DecoderStep& step,
                              const kernels::LayerCache& cache, LayerPart part) const {
  const at::Tensor middle = attends(part) ? attend_step(hidden, config, step, cache) : hidden;
  if (!feeds_forward(part)) return middle;
  const at::Tensor x = norm(middle, post_attention_layernorm_, config);
  const at::Tensor activated = config.activation == Activation::silu
                                   ? kernels::few_rows_silu_mul(x, gate_up_proj_.weight, gate_up_proj_.bias)
                                   : activate(gate_up_proj_(x), config);
  return kernels::few_rows_linear(activated, down_proj_.weight, down_proj_.bias, middle);
}

Decoder::Decoder(DecoderConfig config, std::int64_t layers)
    : config_(std::move(config)), layers_(static_cast<std::size_t>(layers)) {}

void Decoder::want(Parameters& parameters, const std::string& prefix, bool final_norm) {
  want(parameters, prefix, {.embeddings = true, .layers = all_layers(), .final_norm = final_norm});
}

void Decoder::want(Parameters& parameters, const std::string& prefix, const Share& share) {
  if (share.embeddings) {
    parameters.want(prefix + "embed_tokens.weight", {config_.vocab, config_.hidden}, &embed_tokens_);
  }
  for (int i = share.layers.first; i < share.layers.last; ++i) {
    layers_[static_cast<std::size_t>(i)].want(parameters, prefix + "layers." + std::to_string(i) + ".", config_,
                                              share.layers.part(i));
  }
  if (share.final_norm) parameters.want(prefix + "norm.weight", {config_.hidden}, &norm_);
}

KvCache Decoder::make_cache(std::int64_t sequences, std::int64_t capacity, at::TensorOptions options,
                            const Layers& own) const {
  const std::vector<std::int64_t> shape = {own.last - own.first, sequences, config_.kv_heads, capacity,
                                           config_.head_dim};
  return {at::empty(shape, options), at::empty(shape, options), static_cast<std::size_t>(own.first)};
}

DecoderPass Decoder::begin(const at::Tensor& positions, at::Device device, std::int64_t sequences) const {
  const at::Tensor all = sequences == 1 ? positions : positions.repeat({sequences});
  DecoderPass pass;
  pass.sequences = sequences;
  pass.rope = upload(rope_table(all, config_.head_dim, config_.rope), device);
  bool any_window = false;
  for (std::size_t i = 0; i < layers_.size(); ++i) any_window = any_window || config_.windowed[i];
  if (!any_window) return pass;
  pass.local_rope = upload(rope_table(all, config_.head_dim, config_.local_rope), device);
  const std::int64_t tokens = positions.size(0);
  if (tokens > config_.window) {
    const at::Tensor order = at::arange(tokens, at::kLong);
    const at::Tensor distance = order.unsqueeze(1) - order.unsqueeze(0);  // of the key behind the query
    pass.window_mask = upload((distance >= 0).logical_and(distance < config_.window), device);
  }
  return pass;
}

at::Tensor Decoder::embed(const at::Tensor& ids) const {
  at::Tensor hidden = embed_tokens_.index_select(0, ids);
  if (config_.embed_scale != 1) {
    hidden = hidden * at::scalar_tensor(config_.embed_scale, at::kFloat).to(hidden.scalar_type());
  }
  return hidden;
}

at::Tensor Decoder::layer(std::size_t index, const at::Tensor& hidden, const DecoderPass& pass, LayerPart part) const {
  return layers_[index](hidden, config_, pass, index, part);
}

at::Tensor Decoder::step_layer(std::size_t index, const at::Tensor& hidden, const DecoderStep& step,
                               LayerPart part) const {
  return layers_[index].step(hidden, config_, step, step.cache.layer(index), part);
}

at::Tensor Decoder::final_norm(const at::Tensor& hidden) const { return norm(hidden, norm_, config_); }

}  // namespace trireme::nn
