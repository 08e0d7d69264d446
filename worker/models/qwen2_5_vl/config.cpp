#include "worker/models/qwen2_5_vl/config.h"

#include <numeric>

namespace trireme::qwen2_5_vl {
namespace {

constexpr std::int64_t kLargestId = std::int64_t{1} << 31;

VisionConfig read_vision(const PartConfig& part) {
  const PartConfig vision = part.section("vision_config");
  const JsonObject json = vision.json();
  if (!part.json().has("vision_config")) part.json().fail("vision_config", "missing");
  if (json.get_string_or("hidden_act", "silu") != "silu") json.fail("hidden_act", "only silu is supported");
  VisionConfig config;
  config.depth = vision.size("depth", {}, 32);
  config.hidden = vision.size("hidden_size", {}, 3584);
  config.intermediate = vision.size("intermediate_size", {}, 3420);
  config.heads = vision.size("num_heads", {}, 16);
  config.out_hidden = vision.size("out_hidden_size", {}, 3584);
  config.channels = vision.size("in_channels", {}, json.get_int_or("in_chans", 3, 1, 3));
  config.patch = vision.size("patch_size", {}, 14);
  config.temporal = vision.size("temporal_patch_size", {}, 2);
  config.merge = vision.size("spatial_merge_size", {}, 2);
  config.window = vision.size("window_size", {}, 112) / config.merge / config.patch;
  if (config.channels != 3) json.fail("in_channels", "only pictures of 3 channels are supported");
  if (config.window < 1) json.fail("window_size", "must hold at least one cell of merged patches");
  if (config.hidden % config.heads != 0 || config.head_dim() % 4 != 0) {
    json.fail("num_heads", "must divide hidden_size into heads of a multiple of 4");
  }
  config.sees_all.assign(static_cast<std::size_t>(config.depth), false);
  std::vector<std::int64_t> whole = {7, 15, 23, 31};
  if (json.has("fullatt_block_indexes")) whole = json.get_ints("fullatt_block_indexes", 0, 1 << 20, 10'000);
  for (const std::int64_t block : whole) {
    if (block < config.depth) config.sees_all[static_cast<std::size_t>(block)] = true;
  }
  return config;
}

std::vector<std::int64_t> read_sections(const PartConfig& text, std::int64_t head_dim) {
  std::vector<std::int64_t> sections = {16, 24, 24};
  const JsonObject json = text.json();
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (!json.has(key) || !json.get_object(key).has("mrope_section")) continue;
    sections = json.get_object(key).get_ints("mrope_section", 0, 1 << 20);
  }
  if (std::accumulate(sections.begin(), sections.end(), std::int64_t{0}) != head_dim / 2) {
    json.fail("mrope_section", "must add up to half of a head, " + std::to_string(head_dim / 2));
  }
  return sections;
}

/// What the files say; if they say nothing, a head of its own lies beside the embeddings or not.
bool is_head_tied(const PartConfig& part, const PartConfig& text) {
  constexpr const char* kKey = "tie_word_embeddings";
  if (part.json().has(kKey) || text.json().has(kKey)) {
    return part.json().get_bool_or(kKey, false) || text.json().get_bool_or(kKey, false);
  }
  return part.has_tensors() && !part.has_tensor("lm_head.weight");
}

/// A number or a list of numbers.
std::vector<std::int64_t> read_ids(const JsonObject& json, const std::string& key) {
  if (!json.has(key)) return {};
  if (json.at(key).is_array()) return json.get_ints(key, 0, kLargestId);
  return {json.get_int(key, 0, kLargestId)};
}

}  // namespace

Config read_config(const ModelFiles& files) {
  const PartConfig part(files, "model");
  const PartConfig text = part.section("text_config");
  Config config;
  const bool resaved = part.has_tensor("model.language_model.embed_tokens.weight");
  config.text_prefix = resaved ? "model.language_model." : "model.";
  config.vision_prefix = resaved ? "model.visual." : "visual.";
  config.vision = read_vision(part);
  config.text = nn::decoder_config(text, config.text_prefix);
  for (const bool windowed : config.text.windowed) {
    if (windowed) text.json().fail("use_sliding_window", "true is not supported");
  }
  if (config.text.activation != nn::Activation::silu) text.json().fail("hidden_act", "only silu is supported");
  if (config.vision.out_hidden != config.text.hidden) {
    part.json().fail("vision_config", "out_hidden_size is not the hidden_size of the text part");
  }
  config.mrope_section = read_sections(text, config.text.head_dim);
  config.max_positions = text.size("max_position_embeddings", {}, 32768);
  config.tied_head = is_head_tied(part, text);
  config.image_token = part.json().get_int_or("image_token_id", 151655, 0, kLargestId);
  config.video_token = part.json().get_int_or("video_token_id", 151656, 0, kLargestId);
  config.end_tokens = read_ids(PartConfig(files, "generation").json(), "eos_token_id");
  if (config.end_tokens.empty()) config.end_tokens = read_ids(text.json(), "eos_token_id");
  return config;
}

}  // namespace trireme::qwen2_5_vl
