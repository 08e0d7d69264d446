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

/// Per-head norm, if the model has one, and rotation of q or k. x [tokens, heads * head_dim] -> [tokens, heads,
/// head_dim]
at::Tensor turned_heads(const at::Tensor& x, const at::Tensor& norm_weight, const DecoderConfig& config,
                        const RopeTable& table) {
  at::Tensor heads = x.view({x.size(0), -1, config.head_dim});
  if (config.qk_norm && !config.one_plus_norm) {
    kernels::norm_rope_(heads, norm_weight, config.norm_eps, table, kernels::RopePairs::halves);
    return heads;
  }
  if (config.qk_norm) heads = kernels::rms_norm_one_plus(heads, norm_weight, config.norm_eps);
  kernels::rope_(heads, table, kernels::RopePairs::halves);
  return heads;
}

}  // namespace

void DecoderLayer::want(Parameters& parameters, const std::string& prefix, const DecoderConfig& config) {
  const std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
  const std::int64_t q_rows = config.heads * config.head_dim, kv_rows = config.kv_heads * config.head_dim;
  const Bias qkv = config.qkv_bias ? Bias::present : Bias::none;
  const Bias feed = config.mlp_bias ? Bias::present : Bias::none;
  q_proj_.want(parameters, attention + "q_proj", q_rows, config.hidden, qkv);
  k_proj_.want(parameters, attention + "k_proj", kv_rows, config.hidden, qkv);
  v_proj_.want(parameters, attention + "v_proj", kv_rows, config.hidden, qkv);
  o_proj_.want(parameters, attention + "o_proj", config.hidden, q_rows, config.out_bias ? Bias::present : Bias::none);
  if (config.qk_norm) {
    parameters.want(attention + "q_norm.weight", {config.head_dim}, &q_norm_);
    parameters.want(attention + "k_norm.weight", {config.head_dim}, &k_norm_);
  }
  gate_proj_.want(parameters, mlp + "gate_proj", config.intermediate, config.hidden, feed);
  up_proj_.want(parameters, mlp + "up_proj", config.intermediate, config.hidden, feed);
  down_proj_.want(parameters, mlp + "down_proj", config.hidden, config.intermediate, feed);
  parameters.want(prefix + "input_layernorm.weight", {config.hidden}, &input_layernorm_);
  parameters.want(prefix + "post_attention_layernorm.weight", {config.hidden}, &post_attention_layernorm_);
  if (config.post_norms) {
    parameters.want(prefix + "pre_feedforward_layernorm.weight", {config.hidden}, &pre_feedforward_layernorm_);
    parameters.want(prefix + "post_feedforward_layernorm.weight", {config.hidden}, &post_feedforward_layernorm_);
  }
}

at::Tensor DecoderLayer::attend(const at::Tensor& x, const DecoderConfig& config, const DecoderPass& pass,
                                bool windowed) const {
  const RopeTable& table = windowed ? pass.local_rope : pass.rope;
  const at::Tensor q = turned_heads(q_proj_(x), q_norm_, config, table);
  const at::Tensor k = turned_heads(k_proj_(x), k_norm_, config, table);
  const at::Tensor v = v_proj_(x).view({x.size(0), config.kv_heads, config.head_dim});
  AttentionOptions options;
  options.scale = config.attention_scale;
  options.causal = true;
  if (windowed) options.mask = pass.window_mask;
  return o_proj_(attention(q, k, v, options));
}

at::Tensor DecoderLayer::feed_forward(const at::Tensor& x, const DecoderConfig& config) const {
  const at::Tensor gate = gate_proj_(x), up = up_proj_(x);
  if (config.activation == Activation::silu) return down_proj_(kernels::silu_mul(gate, up));
  return down_proj_(at::gelu(gate, "tanh") * up);
}

at::Tensor DecoderLayer::operator()(const at::Tensor& hidden, const DecoderConfig& config, const DecoderPass& pass,
                                    bool windowed) const {
  const at::Tensor attended = attend(norm(hidden, input_layernorm_, config), config, pass, windowed);
  if (!config.post_norms) {
    const at::Tensor middle = hidden + attended;
    return middle + feed_forward(norm(middle, post_attention_layernorm_, config), config);
  }
  const at::Tensor middle = hidden + norm(attended, post_attention_layernorm_, config);
  const at::Tensor fed = feed_forward(norm(middle, pre_feedforward_layernorm_, config), config);
  return middle + norm(fed, post_feedforward_layernorm_, config);
}

Decoder::Decoder(DecoderConfig config, std::int64_t layers)
    : config_(std::move(config)), layers_(static_cast<std::size_t>(layers)) {}

void Decoder::want(Parameters& parameters, const std::string& prefix, bool final_norm) {
  parameters.want(prefix + "embed_tokens.weight", {config_.vocab, config_.hidden}, &embed_tokens_);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].want(parameters, prefix + "layers." + std::to_string(i) + ".", config_);
  }
  if (final_norm) parameters.want(prefix + "norm.weight", {config_.hidden}, &norm_);
}

DecoderPass Decoder::begin(const at::Tensor& positions, at::Device device) const {
  DecoderPass pass;
  pass.rope = upload(rope_table(positions, config_.head_dim, config_.rope), device);
  bool any_window = false;
  for (std::size_t i = 0; i < layers_.size(); ++i) any_window = any_window || config_.windowed[i];
  if (!any_window) return pass;
  pass.local_rope = upload(rope_table(positions, config_.head_dim, config_.local_rope), device);
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

at::Tensor Decoder::layer(std::size_t index, const at::Tensor& hidden, const DecoderPass& pass) const {
  return layers_[index](hidden, config_, pass, config_.windowed[index]);
}

at::Tensor Decoder::final_norm(const at::Tensor& hidden) const { return norm(hidden, norm_, config_); }

}  // namespace trireme::nn
