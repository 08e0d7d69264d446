#include "common/model_shape.h"

#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxConfigBytes = 16 << 20;
constexpr std::int64_t kMost = 1 << 24;

/// A config file, or an object inside it.
class Config {
 public:
  explicit Config(const fs::path& file)
      : json_(parse_json(read_file(file, kMaxConfigBytes), file.string())), place_(file.string()) {}
  Config(nlohmann::json json, std::string place) : json_(std::move(json)), place_(std::move(place)) {}

  std::int64_t get(const char* key) const { return object().get_int(key, 1, kMost); }
  std::int64_t get(const char* key, std::int64_t fallback) const {
    return object().get_int_or(key, fallback, 0, kMost);
  }
  std::vector<std::int64_t> list(const char* key) const { return object().get_ints(key, 0, kMost); }
  bool has(const char* key) const { return object().has(key); }
  /// Under either of two names.
  std::int64_t either(const char* key, const char* other) const { return get(has(other) ? other : key); }
  /// The object behind `key`, or this one.
  Config inside(const char* key) const {
    if (!has(key)) return *this;
    return {object().get_object(key).value(), place_ + ": " + key};
  }

 private:
  JsonObject object() const { return {json_, place_}; }
  nlohmann::json json_;
  std::string place_;
};

DecoderShape decoder_shape(const Config& config) {
  DecoderShape shape;
  shape.layers = config.get("num_hidden_layers");
  shape.hidden = config.get("hidden_size");
  shape.intermediate = config.get("intermediate_size");
  const bool silent = !config.has("num_attention_heads");  // files of Gemma3 leave out what is the default of 4B
  shape.heads = silent ? 8 : config.get("num_attention_heads");
  shape.kv_heads = config.get("num_key_value_heads", silent ? 4 : shape.heads);
  shape.head_dim = config.get("head_dim", silent ? 256 : shape.hidden / shape.heads);
  shape.vocab = config.get("vocab_size", 0);
  return shape;
}

/// The layers in front of the one whose output is taken.
DecoderShape encoder_shape(const fs::path& file) {
  DecoderShape shape = decoder_shape(Config(file).inside("text_config"));
  shape.layers -= 1;
  return shape;
}

AutoencoderShape autoencoder_shape(const fs::path& file) {
  const Config config(file);
  AutoencoderShape shape{config.list("block_out_channels"), config.get("layers_per_block", 2),
                         config.get("latent_channels", 16)};
  if (shape.channels.empty()) throw Error(ExitCode::bad_data, file.string() + ": block_out_channels: empty");
  return shape;
}

/// The parts that stand beside every transformer of pictures.
ModelShape with_encoder_and_decoder(const fs::path& folder, DiffusionShape transformer) {
  ModelShape shape;
  shape.text_encoder = encoder_shape(folder / "text_encoder" / "config.json");
  shape.autoencoder = autoencoder_shape(folder / "vae" / "config.json");
  transformer.pixels = std::int64_t{2} << (shape.autoencoder->channels.size() - 1);
  shape.transformer = transformer;
  return shape;
}

ModelShape z_image(const fs::path& folder) {
  const Config config(folder / "transformer" / "config.json");
  DiffusionShape transformer;
  transformer.dim = transformer.kv_dim = config.get("dim");
  if (config.has("n_heads")) transformer.head_dim = transformer.dim / config.get("n_heads");
  transformer.feed_forward = static_cast<std::int64_t>(static_cast<double>(transformer.dim) / 3 * 8);
  transformer.layers = config.get("n_layers");
  transformer.refiners = config.get("n_refiner_layers", 2);
  transformer.channels = config.get("in_channels", 16);
  transformer.caption_dim = config.get("cap_feat_dim", 2560);
  transformer.token_multiple = 32;
  return with_encoder_and_decoder(folder, transformer);
}

ModelShape newbie_image(const fs::path& folder) {
  const Config config(folder / "transformer" / "config.json");
  const std::int64_t multiple = config.get("multiple_of", 256);
  DiffusionShape transformer;
  transformer.dim = config.either("dim", "hidden_size");  // the released names, those of diffusers' Lumina 2
  transformer.head_dim = transformer.dim / config.either("n_heads", "num_attention_heads");
  transformer.kv_dim = transformer.head_dim * config.either("n_kv_heads", "num_kv_heads");
  transformer.feed_forward = (4 * transformer.dim + multiple - 1) / multiple * multiple;
  transformer.layers = config.either("n_layers", "num_layers");
  transformer.refiners = config.get("n_refiner_layers", config.get("num_refiner_layers", 2));
  transformer.no_guidance = 1;
  transformer.channels = config.get("in_channels", 16);
  transformer.caption_dim = config.get("cap_feat_dim", 2560);
  transformer.modulation = 1024;
  return with_encoder_and_decoder(folder, transformer);
}

ModelShape qwen2_5_vl(const fs::path& folder) {
  const Config config(folder / "config.json");
  ModelShape shape;
  shape.language = decoder_shape(config.inside("text_config"));
  if (!config.has("vision_config")) return shape;
  const Config vision = config.inside("vision_config");
  const std::int64_t patch = vision.get("patch_size", 14), window = vision.get("window_size", 112) / patch;
  VisionShape eyes;
  eyes.layers = vision.get("depth", 32);
  eyes.hidden = vision.get("hidden_size", 1280);
  eyes.intermediate = vision.get("intermediate_size", 3420);
  eyes.patch_values = 3 * patch * patch * vision.get("temporal_patch_size", 2);
  eyes.window_patches = window * window;
  eyes.full_layers =
      vision.has("fullatt_block_indexes") ? static_cast<std::int64_t>(vision.list("fullatt_block_indexes").size()) : 4;
  eyes.merge = vision.get("spatial_merge_size", 2);
  eyes.out_hidden = vision.get("out_hidden_size", shape.language->hidden);
  shape.vision = eyes;
  return shape;
}

}  // namespace

ModelShape read_model_shape(const std::string& family, const fs::path& folder, const std::string& dtype) {
  ModelShape shape;
  if (family == "z_image") shape = z_image(folder);
  if (family == "newbie_image") shape = newbie_image(folder);
  if (family == "qwen2_5_vl") shape = qwen2_5_vl(folder);
  shape.family = family;
  shape.bytes_per_parameter = dtype == "float32" ? 4 : 2;
  return shape;
}

}  // namespace trireme
