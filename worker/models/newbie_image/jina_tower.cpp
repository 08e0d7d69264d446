#include "worker/models/newbie_image/jina_tower.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "common/errors.h"
#include "worker/nn/attention.h"
#include "worker/nn/caption_encoder.h"
#include "worker/nn/upload.h"

namespace trireme::newbie_image {
namespace {

constexpr std::size_t kMaxTokens = 2048;
constexpr std::int64_t kPad = 1;
constexpr const char* kWords = "embeddings.word_embeddings";
constexpr std::string_view kMergedWords = "embeddings.word_embeddings.weight";
constexpr std::string_view kAdaptedWords = "embeddings.word_embeddings.parametrizations.weight.original";
constexpr const char* kAdaptedWeight = ".parametrizations.weight.original";
constexpr const char* kAdapterA = ".parametrizations.weight.0.lora_A";
constexpr const char* kAdapterB = ".parametrizations.weight.0.lora_B";

/// What stands before the encoder's own names, and whether its adapters lie beside the weights.
std::pair<std::string, bool> find_prefix(const PartConfig& part) {
  if (!part.has_tensors()) return {"text_model.transformer.roberta.", false};
  for (const TensorEntry& tensor : part.part().tensors) {
    const std::string_view name = tensor.name;
    const bool adapted = name.ends_with(kAdaptedWords);
    if (!adapted && !name.ends_with(kMergedWords)) continue;
    const std::size_t ending = adapted ? kAdaptedWords.size() : kMergedWords.size();
    return {std::string(name.substr(0, name.size() - ending)), adapted};
  }
  throw Error(ExitCode::bad_data,
              part.place() + ": no tensor " + kWords + ".weight beside it, so this is not a Jina CLIP text tower");
}

/// Which of the adapters the text tower uses on its own.
void choose_adapter(const JsonObject& text, const JsonObject& model, JinaConfig& config) {
  if (!model.has("lora_adaptations")) return;
  const nlohmann::json& names = model.at("lora_adaptations");
  if (!names.is_array() || names.empty()) model.fail("lora_adaptations", "not a list of names");
  const std::string wanted = text.get_string_or("default_lora_task", "retrieval.query");
  const auto found = std::find(names.begin(), names.end(), wanted);
  config.adapters = static_cast<std::int64_t>(names.size());
  config.adapter = found == names.end() ? 0 : found - names.begin();
}

}  // namespace

JinaConfig jina_config(const PartConfig& part) {
  const PartConfig text = part.section("text_config"), model = text.section("hf_model_config_kwargs");
  JinaConfig config;
  bool adapted = false;
  std::tie(config.prefix, adapted) = find_prefix(part);
  const std::string suffix = adapted ? kAdaptedWeight : ".weight", layer = config.prefix + "encoder.layers.0.";
  const auto dimension = [&](const std::string& name, std::size_t index) { return part.dimension({name}, index); };
  // The defaults are jina-embeddings-v3's, which the released file names and does not repeat.
  const auto size = [&](const char* key, std::optional<std::int64_t> from_shapes, std::int64_t fallback) {
    const PartConfig& place = model.json().has(key) ? model : text;
    return place.size(key, from_shapes, fallback);
  };
  const auto number = [&](const char* key, double fallback, double max) {
    const PartConfig& place = model.json().has(key) ? model : text;
    return place.json().get_double_or(key, fallback, 0, max);
  };
  const std::string words = config.prefix + kWords + suffix;
  config.vocab = size("vocab_size", dimension(words, 0), 250002);
  config.types = size("type_vocab_size", dimension(config.prefix + "embeddings.token_type_embeddings" + suffix, 0), 1);
  config.hidden = size("hidden_size", dimension(words, 1), 1024);
  config.heads = size("num_attention_heads", {}, 16);
  config.layers = size("num_hidden_layers", part.count(config.prefix + "encoder.layers."), 24);
  config.inner = size("intermediate_size", dimension(layer + "mlp.fc1" + suffix, 0), 4096);
  config.norm_eps = number("layer_norm_eps", 1e-5, 1);
  config.rope_base = number("rotary_emb_base", 20000, 1e12);
  if (config.layers > 10'000) text.json().fail("num_hidden_layers", "more than 10000");
  if (config.hidden % config.heads != 0 || config.hidden / config.heads % 2 != 0) {
    text.json().fail("num_attention_heads",
                     "must divide hidden_size = " + std::to_string(config.hidden) + " into even parts");
  }
  const JsonObject json = text.json();
  if (const std::string pooler = json.get_string_or("pooler_type", "mean_pooler"); pooler != "mean_pooler") {
    json.fail("pooler_type", "'" + pooler + "' is not supported (mean_pooler)");
  }
  if (json.has("proj_type")) json.fail("proj_type", "a projection of the text is not supported");
  if (!adapted) return config;
  config.rank = size("lora_rank", dimension(config.prefix + kWords + kAdapterA, 2), 4);
  config.adapter_scale = number("lora_alpha", 4, 1e6) / static_cast<double>(config.rank);
  choose_adapter(json, model.json(), config);
  return config;
}

void Adapted::want(Parameters& parameters, const std::string& name, std::vector<std::int64_t> shape,
                   const JinaConfig& config, bool embedding) {
  if (config.rank == 0) {
    parameters.want(name + ".weight", std::move(shape), &weight);
    return;
  }
  const std::int64_t rows = shape[0], columns = shape[1], n = config.adapters, rank = config.rank;
  parameters.want(name + kAdaptedWeight, std::move(shape), &weight);
  using Shape = std::vector<std::int64_t>;
  parameters.want(name + kAdapterA, embedding ? Shape{n, rows, rank} : Shape{n, rank, columns}, &a);
  parameters.want(name + kAdapterB, embedding ? Shape{n, rank, columns} : Shape{n, rows, rank}, &b);
}

at::Tensor Adapted::linear(const at::Tensor& x, const at::Tensor& bias, const JinaConfig& config) const {
  const at::Tensor plain = at::linear(x, weight, bias);
  if (!a.defined()) return plain;
  return plain +
         at::linear(at::linear(x, a.select(0, config.adapter)), b.select(0, config.adapter)) * config.adapter_scale;
}

at::Tensor Adapted::rows(const at::Tensor& ids, const JinaConfig& config) const {
  const at::Tensor plain = weight.index_select(0, ids);
  if (!a.defined()) return plain;
  return plain + at::matmul(a.select(0, config.adapter).index_select(0, ids), b.select(0, config.adapter)) *
                     config.adapter_scale;
}

JinaTower::JinaTower(const PartConfig& part, Tokenizer tokenizer)
    : config_(jina_config(part)), tokenizer_(std::move(tokenizer)), layers_(static_cast<std::size_t>(config_.layers)) {
  if (tokenizer_.vocab_size() > static_cast<std::size_t>(config_.vocab)) {
    throw Error(ExitCode::bad_data, part.place() + ": the tokenizer has " + std::to_string(tokenizer_.vocab_size()) +
                                        " tokens, the text tower only " + std::to_string(config_.vocab));
  }
}

void JinaTower::want_norm(Parameters& parameters, const std::string& name, std::int64_t size, Norm& norm) {
  parameters.want(name + ".weight", {size}, &norm.weight);
  parameters.want(name + ".bias", {size}, &norm.bias);
}

void JinaTower::want(Parameters& parameters) {
  const std::string& prefix = config_.prefix;
  const std::int64_t hidden = config_.hidden, inner = config_.inner;
  words_.want(parameters, prefix + kWords, {config_.vocab, hidden}, config_, true);
  types_.want(parameters, prefix + "embeddings.token_type_embeddings", {config_.types, hidden}, config_, true);
  want_norm(parameters, prefix + "emb_ln", hidden, embedding_norm_);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::string place = prefix + "encoder.layers." + std::to_string(i) + ".";
    Layer& layer = layers_[i];
    const auto linear = [&](Adapted& adapted, at::Tensor& bias, const char* name, std::int64_t out, std::int64_t in) {
      adapted.want(parameters, place + name, {out, in}, config_, false);
      parameters.want(place + name + ".bias", {out}, &bias);
    };
    linear(layer.qkv, layer.qkv_bias, "mixer.Wqkv", 3 * hidden, hidden);
    linear(layer.out, layer.out_bias, "mixer.out_proj", hidden, hidden);
    linear(layer.fc1, layer.fc1_bias, "mlp.fc1", inner, hidden);
    linear(layer.fc2, layer.fc2_bias, "mlp.fc2", hidden, inner);
    want_norm(parameters, place + "norm1", hidden, layer.norm1);
    want_norm(parameters, place + "norm2", hidden, layer.norm2);
  }
  parameters.skip(prefix + "pooler.", "the pooled text is the mean of the tokens");
  parameters.skip("vision_model.", "no picture is encoded");
  parameters.skip("logit_scale", "nothing is compared");
}

at::Tensor JinaTower::tokenize(const std::string& text) const {
  return nn::to_tensor(tokenizer_.encode_templated(text, kMaxTokens));
}

JinaTower::Pass JinaTower::begin(const at::Tensor& ids, at::Device device) const {
  Pass pass;
  const nn::RopeTable rope = nn::rope_table(at::arange(ids.size(0), at::kLong), config_.hidden / config_.heads,
                                            {.theta = config_.rope_base, .linear_factor = 1});
  pass.rope = nn::upload(rope, device);
  pass.ids = nn::upload(ids, device);
  const auto* values = ids.data_ptr<std::int64_t>();
  if (std::find(values, values + ids.numel(), kPad) != values + ids.numel()) {
    pass.seen = nn::upload(ids.ne(kPad), device);
  }
  return pass;
}

at::Tensor JinaTower::normed(const at::Tensor& x, const Norm& norm) const {
  return at::layer_norm(x, {config_.hidden}, norm.weight, norm.bias, config_.norm_eps);
}

at::Tensor JinaTower::embed(const Pass& pass) const {
  const at::Tensor type = types_.rows(at::zeros({1}, pass.ids.options()), config_);
  return normed(words_.rows(pass.ids, config_) + type, embedding_norm_);
}

at::Tensor JinaTower::layer(std::size_t i, const at::Tensor& x, const Pass& pass) const {
  const Layer& layer = layers_[i];
  const at::Tensor qkv =
      layer.qkv.linear(x, layer.qkv_bias, config_).view({x.size(0), 3, config_.heads, config_.hidden / config_.heads});
  const at::Tensor q = qkv.select(1, 0), k = qkv.select(1, 1), v = qkv.select(1, 2);
  kernels::rope_(q, pass.rope, kernels::RopePairs::halves);
  kernels::rope_(k, pass.rope, kernels::RopePairs::halves);
  nn::AttentionOptions options;
  options.any_length = true;
  if (pass.seen.defined()) options.mask = pass.seen.unsqueeze(0).expand({x.size(0), x.size(0)});
  const at::Tensor attended = layer.out.linear(nn::attention(q, k, v, options), layer.out_bias, config_);
  const at::Tensor middle = normed(x + attended, layer.norm1);
  const at::Tensor fed =
      layer.fc2.linear(at::gelu(layer.fc1.linear(middle, layer.fc1_bias, config_)), layer.fc2_bias, config_);
  return normed(middle + fed, layer.norm2);
}

at::Tensor JinaTower::pool(const at::Tensor& x, const Pass& pass) const {
  const at::Tensor wide = x.to(at::kFloat);
  if (!pass.seen.defined()) return wide.mean(0, /*keepdim=*/true).to(x.scalar_type());
  const at::Tensor weight = pass.seen.to(at::kFloat).unsqueeze(0);
  return (at::matmul(weight, wide) / weight.sum()).to(x.scalar_type());
}

}  // namespace trireme::newbie_image
