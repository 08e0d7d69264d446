#include "worker/models/newbie_image/config.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "common/errors.h"
#include "worker/nn/patches.h"

namespace trireme::newbie_image {
namespace {

TensorNames released_names() {
  TensorNames names;
  names.x_embedder = "x_embedder";
  names.time_in = "t_embedder.mlp.0", names.time_out = "t_embedder.mlp.2";
  names.caption_norm = "cap_embedder.0", names.caption_linear = "cap_embedder.1";
  names.pooled_norm = "clip_text_pooled_proj.0", names.pooled_linear = "clip_text_pooled_proj.1";
  names.time_text = "time_text_embed.1";
  names.final_linear = "final_layer.linear", names.final_modulation = "final_layer.adaLN_modulation.1";
  nn::DitBlockNames& block = names.block;
  block.qkv = "attention.qkv", block.to_out = "attention.out";
  block.norm_q = "attention.q_norm", block.norm_k = "attention.k_norm";
  block.w1 = "feed_forward.w1", block.w2 = "feed_forward.w2", block.w3 = "feed_forward.w3";
  block.attention_norm1 = "attention_norm1", block.attention_norm2 = "attention_norm2";
  block.ffn_norm1 = "ffn_norm1", block.ffn_norm2 = "ffn_norm2";
  block.modulation = "adaLN_modulation.1";
  names.plain_block = block;
  return names;
}

TensorNames diffusers_names() {
  TensorNames names;
  const std::string embed = "time_caption_embed.";
  names.x_embedder = "x_embedder";
  names.time_in = embed + "timestep_embedder.linear_1", names.time_out = embed + "timestep_embedder.linear_2";
  names.caption_norm = embed + "caption_embedder.0", names.caption_linear = embed + "caption_embedder.1";
  names.pooled_norm = embed + "clip_text_pooled_proj.0", names.pooled_linear = embed + "clip_text_pooled_proj.1";
  names.time_text = embed + "time_text_embed.1";
  names.final_linear = "norm_out.linear_2", names.final_modulation = "norm_out.linear_1";
  nn::DitBlockNames& block = names.block;
  block.to_q = "attn.to_q", block.to_k = "attn.to_k", block.to_v = "attn.to_v", block.to_out = "attn.to_out.0";
  block.norm_q = "attn.norm_q", block.norm_k = "attn.norm_k";
  block.w1 = "feed_forward.linear_1", block.w2 = "feed_forward.linear_2", block.w3 = "feed_forward.linear_3";
  block.attention_norm1 = "norm1.norm", block.attention_norm2 = "norm2";
  block.ffn_norm1 = "ffn_norm1", block.ffn_norm2 = "ffn_norm2";
  block.modulation = "norm1.linear";
  names.plain_block = block;
  names.plain_block.attention_norm1 = "norm1";
  return names;
}

TensorNames find_names(const PartConfig& part) {
  const TensorNames released = released_names(), diffusers = diffusers_names();
  if (!part.has_tensors()) return part.json().has("hidden_size") ? diffusers : released;
  for (const char* prefix : {"", "inner_model.", "model.diffusion_model."}) {
    for (const TensorNames* names : {&released, &diffusers}) {
      if (!part.has_tensor(prefix + names->pooled_norm + ".weight")) continue;
      TensorNames found = *names;
      found.prefix = prefix;
      return found;
    }
  }
  throw Error(ExitCode::bad_data, part.place() + ": no tensor " + released.pooled_norm + ".weight or " +
                                      diffusers.pooled_norm +
                                      ".weight beside it, so this is not a NewBie-image transformer");
}

/// A size under either of its two keys.
std::int64_t size_of(const PartConfig& part, const char* released, const char* diffusers,
                     std::optional<std::int64_t> from_shapes, std::optional<std::int64_t> fallback = {}) {
  return part.size(part.json().has(diffusers) ? diffusers : released, from_shapes, fallback);
}

std::vector<std::int64_t> axes_of(const JsonObject& json, const char* released, const char* diffusers,
                                  const std::vector<std::int64_t>& fallback) {
  const char* key = json.has(diffusers) ? diffusers : released;
  const std::vector<std::int64_t> axes = json.has(key) ? json.get_ints(key, 1, 1 << 20, 3) : fallback;
  if (axes.size() != 3) json.fail(key, "wants three axes");
  return axes;
}

void read_block(const PartConfig& part, TransformerConfig& config) {
  const JsonObject json = part.json();
  const std::string layer = config.names.prefix + "layers.0.";
  const nn::DitBlockNames& names = config.names.block;
  nn::DitBlockConfig& block = config.block;
  block.dim = size_of(part, "dim", "hidden_size",
                      part.dimension({config.names.prefix + config.names.x_embedder + ".weight"}, 0));
  const auto norm = part.dimension({layer + names.norm_q + ".weight"}, 0);
  std::optional<std::int64_t> heads, kv_heads;
  if (norm) heads = block.dim / *norm;
  block.heads = size_of(part, "n_heads", "num_attention_heads", heads);
  block.head_dim = block.dim / block.heads;
  if (block.dim % block.heads != 0) json.fail("n_heads", "must divide dim = " + std::to_string(block.dim));
  if (const auto rows = part.dimension({layer + names.qkv + ".weight"}, 0)) {
    kv_heads = (*rows - block.dim) / 2 / block.head_dim;
  } else if (const auto key_rows = part.dimension({layer + names.to_k + ".weight"}, 0)) {
    kv_heads = *key_rows / block.head_dim;
  }
  block.kv_heads = size_of(part, "n_kv_heads", "num_kv_heads", kv_heads, block.heads);
  if (block.kv_heads < 1 || block.heads % block.kv_heads != 0) json.fail("n_kv_heads", "must divide n_heads");
  // The reference's built-in width: four times that of the model, up to the next multiple of 256.
  block.feed_forward = part.dimension({layer + names.w1 + ".weight"}, 0).value_or(nn::padded(4 * block.dim, 256));
  block.condition_dim =
      part.dimension({layer + names.modulation + ".weight"}, 1).value_or(std::min<std::int64_t>(block.dim, 1024));
  block.norm_eps = json.get_double_or("norm_eps", 1e-5, 0, 1);
  block.qk_norm_eps = json.get_double_or("qk_norm_eps", 1e-5, 0, 1);
  block.qk_norm = json.get_bool_or("qk_norm", !part.has_tensors() || norm.has_value());
}

}  // namespace

TransformerConfig transformer_config(const PartConfig& part) {
  const JsonObject json = part.json();
  if (json.get_int_or("patch_size", nn::kPatch, 1, 1024) != nn::kPatch) json.fail("patch_size", "must be 2");
  TransformerConfig config;
  config.names = find_names(part);
  read_block(part, config);
  const TensorNames& names = config.names;
  const auto dimension = [&](const std::string& name, std::size_t index) {
    return part.dimension({names.prefix + name + ".weight"}, index);
  };
  std::optional<std::int64_t> channels = dimension(names.x_embedder, 1);
  if (channels) *channels /= nn::kPatch * nn::kPatch;
  config.channels = part.size("in_channels", channels);
  config.layers = part.layers(json.has("num_layers") ? "num_layers" : "n_layers", part.count(names.prefix + "layers."));
  const std::int64_t refiners = part.has_tensors() ? part.count(names.prefix + "noise_refiner.").value_or(0) : 2;
  config.refiners =
      part.layers(json.has("num_refiner_layers") ? "num_refiner_layers" : "n_refiner_layers", refiners, 0);
  config.caption_dim = part.size("cap_feat_dim", dimension(names.caption_linear, 1), 2560);
  config.pooled_dim = size_of(part, "clip_text_dim", "pooled_projection_dim", dimension(names.pooled_norm, 0), 1024);
  config.pooled_out = dimension(names.pooled_linear, 0).value_or(config.pooled_dim);
  config.time_hidden = dimension(names.time_in, 0).value_or(config.block.condition_dim);
  config.time_dim = dimension(names.time_out, 0).value_or(config.block.condition_dim);
  config.pooled_norm_eps = config.block.norm_eps;

  config.axes_dims = axes_of(json, "axes_dims", "axes_dim_rope", {32, 32, 32});
  config.axes_lens = axes_of(json, "axes_lens", "axes_lens", {1024, 512, 512});
  const bool odd = std::any_of(config.axes_dims.begin(), config.axes_dims.end(), [](auto d) { return d % 2 != 0; });
  const std::int64_t turned = std::accumulate(config.axes_dims.begin(), config.axes_dims.end(), std::int64_t{0});
  if (odd || turned != config.block.head_dim) {
    json.fail("axes_dims", "must be even and add up to dim / n_heads = " + std::to_string(config.block.head_dim));
  }
  config.rope_theta = json.get_double_or("rope_theta", 10000, 1, 1e12);
  return config;
}

}  // namespace trireme::newbie_image
