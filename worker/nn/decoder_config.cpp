#include "worker/nn/decoder_config.h"

#include <cmath>
#include <utility>

namespace trireme::nn {
namespace {

constexpr double kAnyPositive = 1e30;

Activation activation(const JsonObject& json, const std::string& key) {
  const std::string name = json.get_string_or(key, "silu");
  if (name == "silu") return Activation::silu;
  if (name == "gelu_pytorch_tanh") return Activation::gelu_tanh;
  json.fail(key, "'" + name + "' is not supported (silu, gelu_pytorch_tanh)");
}

/// One set of rope values: {"rope_type", "rope_theta", "factor"}; transformers 4 calls the type "type" and keeps theta
/// beside the object.
RopeFrequencies rope_values(const JsonObject& json, double theta) {
  RopeFrequencies result;
  result.theta = json.get_double_or("rope_theta", theta, 1, kAnyPositive);
  const std::string type = json.get_string_or("rope_type", json.get_string_or("type", "default"));
  if (type == "linear") {
    result.linear_factor = json.get_double("factor", 1e-6, kAnyPositive);
  } else if (type != "default" && type != "mrope") {  // mrope: the same frequencies, positions on three axes
    json.fail("rope_type", "'" + type + "' is not supported (default, linear)");
  }
  return result;
}

void read_rope(const JsonObject& json, DecoderConfig& config) {
  const double theta = json.get_double_or("rope_theta", config.rope.theta, 1, kAnyPositive);
  config.rope.theta = theta;
  config.local_rope.theta = json.get_double_or("rope_local_base_freq", config.local_rope.theta, 1, kAnyPositive);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (!json.has(key)) continue;
    const JsonObject values = json.get_object(key);
    if (values.has("full_attention") || values.has("sliding_attention")) {
      config.rope = rope_values(values.get_object("full_attention"), theta);
      config.local_rope = rope_values(values.get_object("sliding_attention"), config.local_rope.theta);
    } else {
      config.rope = rope_values(values, theta);
    }
  }
}

void read_windows(const JsonObject& json, DecoderConfig& config, std::int64_t pattern) {
  config.windowed.assign(static_cast<std::size_t>(config.layers), false);
  config.window = json.get_int_or("sliding_window", 0, 0, std::int64_t{1} << 31);
  if (json.has("layer_types")) {
    const nlohmann::json& types = json.at("layer_types");
    if (!types.is_array() || types.size() < config.windowed.size()) json.fail("layer_types", "must name every layer");
    for (std::size_t i = 0; i < config.windowed.size(); ++i) {
      if (types[i] != "full_attention" && types[i] != "sliding_attention") {
        json.fail("layer_types", "knows full_attention and sliding_attention, not " + types[i].dump());
      }
      config.windowed[i] = types[i] == "sliding_attention";
    }
  } else if (pattern > 0) {  // every `pattern`-th layer sees everything
    for (std::size_t i = 0; i < config.windowed.size(); ++i) {
      config.windowed[i] = (i + 1) % static_cast<std::size_t>(pattern) != 0;
    }
  } else if (json.get_bool_or("use_sliding_window", false)) {
    const std::int64_t first = json.get_int_or("max_window_layers", config.layers, 0, std::int64_t{1} << 31);
    for (std::size_t i = 0; i < config.windowed.size(); ++i) config.windowed[i] = static_cast<std::int64_t>(i) >= first;
  }
  for (const bool windowed : config.windowed) {
    if (windowed && config.window == 0) json.fail("sliding_window", "must be given for layers with a window");
  }
}

/// Keys, else shapes, else the defaults of transformers, which Gemma3's released config relies on.
void read_sizes(const PartConfig& part, const std::string& prefix, const std::string& type, DecoderConfig& config) {
  const bool gemma3 = type == "gemma3_text";
  const auto of_gemma3 = [&](std::int64_t value) { return gemma3 ? std::optional(value) : std::nullopt; };
  const std::string layer = prefix + "layers.0.";
  config.layers = part.layers("num_hidden_layers", part.count(prefix + "layers."));
  config.hidden = part.size("hidden_size", part.dimension({prefix + "embed_tokens.weight"}, 1));
  config.vocab = part.size("vocab_size", part.dimension({prefix + "embed_tokens.weight"}, 0), of_gemma3(262208));
  config.intermediate = part.size("intermediate_size", part.dimension({layer + "mlp.gate_proj.weight"}, 0));
  std::optional<std::int64_t> head_dim = part.dimension({layer + "self_attn.q_norm.weight"}, 0);
  const auto q_rows = part.dimension({layer + "self_attn.q_proj.weight"}, 0);
  const auto kv_rows = part.dimension({layer + "self_attn.k_proj.weight"}, 0);
  std::optional<std::int64_t> heads, kv_heads;
  if (head_dim && q_rows) heads = *q_rows / *head_dim;
  config.heads = part.size("num_attention_heads", heads, of_gemma3(8));
  if (!head_dim && q_rows) head_dim = *q_rows / config.heads;
  // The library's default where neither key nor shapes tell: 128 for Qwen3, 256 for Gemma3.
  const std::int64_t usual = type == "qwen3" ? 128 : gemma3 ? 256 : config.hidden / config.heads;
  config.head_dim = part.size("head_dim", head_dim, usual);
  if (kv_rows) kv_heads = *kv_rows / config.head_dim;
  config.kv_heads = part.size("num_key_value_heads", kv_heads, of_gemma3(4).value_or(config.heads));
  if (config.heads % config.kv_heads != 0) part.json().fail("num_key_value_heads", "must divide num_attention_heads");
  if (config.head_dim % 2 != 0) part.json().fail("head_dim", "must be even");
}

}  // namespace

DecoderConfig decoder_config(const PartConfig& part, const std::string& prefix) {
  const JsonObject json = part.json();
  const std::string type = json.get_string("model_type");
  const bool gemma3 = type == "gemma3_text";
  const bool qwen2 = type == "qwen2" || type == "qwen2_5_vl" || type == "qwen2_5_vl_text";
  if (!qwen2 && type != "qwen3" && type != "llama" && !gemma3) {
    json.fail("model_type", "'" + type + "' is not supported (qwen2, qwen2_5_vl, qwen3, llama, gemma3_text)");
  }
  DecoderConfig config;
  read_sizes(part, prefix, type, config);
  config.norm_eps = json.get_double_or("rms_norm_eps", 1e-6, 0, 1);
  config.qk_norm = type == "qwen3" || gemma3;
  config.qkv_bias = qwen2 || json.get_bool_or("attention_bias", false);
  config.out_bias = !qwen2 && json.get_bool_or("attention_bias", false);
  config.mlp_bias = type == "llama" && json.get_bool_or("mlp_bias", false);
  config.one_plus_norm = config.post_norms = gemma3;
  config.activation = gemma3 ? Activation::gelu_tanh : Activation::silu;
  const std::string activation_key = gemma3 ? "hidden_activation" : "hidden_act";
  if (json.has(activation_key)) config.activation = activation(json, activation_key);
  const double query_scalar = gemma3 ? json.get_double_or("query_pre_attn_scalar", 256, 1e-6, kAnyPositive)
                                     : static_cast<double>(config.head_dim);
  config.attention_scale = 1 / std::sqrt(query_scalar);
  config.embed_scale = gemma3 ? std::sqrt(static_cast<double>(config.hidden)) : 1;
  if (gemma3) config.rope.theta = 1e6;
  read_rope(json, config);
  read_windows(json, config, gemma3 ? json.get_int_or("sliding_window_pattern", 6, 0, 1 << 20) : 0);
  return config;
}

}  // namespace trireme::nn
