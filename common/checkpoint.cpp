#include "common/checkpoint.h"

#include <algorithm>
#include <array>
#include <optional>

#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"
#include "common/safetensors.h"
#include "common/sha256.h"
#include "common/utf8.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uint64_t kMaxConfigBytes = 16 << 20, kMaxTokenizerBytes = 256 << 20;

json read_config(const fs::path& file) { return parse_json(read_file(file, kMaxConfigBytes), file.string()); }

/// What the folder says it is: the words that name a model, and where they stand.
struct Names {
  std::string pipeline;     // model_index.json: _class_name
  std::string transformer;  // transformer/config.json: _class_name
  std::string model_type;   // config.json at the top, or that of the transformer: model_type
};

Names read_names(const fs::path& folder) {
  Names names;
  const auto word = [&](const fs::path& file, const char* key) -> std::string {
    if (!fs::exists(file)) return "";
    const json config = read_config(file);
    return JsonObject(config, file.string()).get_string_or(key, "");
  };
  names.pipeline = word(folder / "model_index.json", "_class_name");
  names.transformer = word(folder / "transformer" / "config.json", "_class_name");
  names.model_type = word(folder / "config.json", "model_type");
  if (names.model_type.empty()) names.model_type = word(folder / "transformer" / "config.json", "model_type");
  return names;
}

/// A model that the project knows and does not run yet.
const char* later_family(const Names& names) {
  if (names.model_type == "qwen2_5_vl") return "Qwen2.5-VL";
  if (names.pipeline == "NewbiePipeline" || names.model_type == "nextdit_clip" ||
      names.transformer.starts_with("NextDiT")) {
    return "NewBie-image";
  }
  return nullptr;
}

std::string find_family(const Job& job) {
  const Names names = read_names(job.model.path);
  const std::string folder = job.model.path.string();
  if (const char* later = later_family(names)) {
    throw Error(ExitCode::bad_data, folder + ": " + later + " is not available yet; built: z_image, fake");
  }
  constexpr const char* kTransformer = "ZImageTransformer2DModel";
  const bool named = job.model.family == "z_image";  // then a missing or foreign pipeline name is no obstacle
  const bool fits =
      names.transformer.empty() ? named || names.pipeline == "ZImagePipeline" : names.transformer == kTransformer;
  if (fits && (named || names.pipeline.empty() || names.pipeline == "ZImagePipeline")) return "z_image";

  std::string found;
  const auto add = [&](const char* place, const std::string& word) {
    if (!word.empty()) found += (found.empty() ? "" : ", ") + std::string(place) + " says '" + printable(word) + "'";
  };
  add("model_index.json", names.pipeline);
  add("transformer/config.json", names.transformer);
  add("model_type", names.model_type);
  if (found.empty()) found = "no model_index.json, transformer/config.json or config.json names a model";
  throw Error(ExitCode::bad_data,
              folder + ": not a model that can be run: " + found + "; built: z_image (ZImagePipeline)");
}

/// The flow-match Euler schedule with a fixed shift is what diffusion/ runs; any other would make other pictures.
double read_shift(const fs::path& file) {
  const json config = read_config(file);
  const JsonObject scheduler(config, file.string());
  constexpr const char* kClass = "FlowMatchEulerDiscreteScheduler";
  if (const std::string name = scheduler.get_string_or("_class_name", kClass); name != kClass) {
    scheduler.fail("_class_name", printable(name) + " is not available yet; only " + kClass + " is");
  }
  for (const char* key : {"use_dynamic_shifting", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas",
                          "invert_sigmas", "stochastic_sampling"}) {
    if (scheduler.get_bool_or(key, false)) scheduler.fail(key, "true is not available yet");
  }
  if (scheduler.has("shift_terminal")) scheduler.fail("shift_terminal", "not available yet");
  if (scheduler.get_int_or("num_train_timesteps", 1000, 1, 1'000'000) != 1000) {
    scheduler.fail("num_train_timesteps", "only 1000 is available");
  }
  const double shift = scheduler.get_double_or("shift", 1.0, 0, kMaxShift);
  if (shift == 0) scheduler.fail("shift", "0 makes no schedule");
  return shift;
}

int read_size_multiple(const fs::path& folder) {
  const fs::path vae_file = folder / "vae" / "config.json", transformer_file = folder / "transformer" / "config.json";
  const json vae_config = read_config(vae_file), transformer_config = read_config(transformer_file);
  const JsonObject vae(vae_config, vae_file.string()), transformer(transformer_config, transformer_file.string());

  const std::vector<std::int64_t> patch{2}, frame_patch{1};
  const auto only = [&](const char* key, const std::vector<std::int64_t>& value) {
    if (transformer.has(key) && transformer.get_ints(key, 1, 1024) != value) {
      transformer.fail(key, "only [" + std::to_string(value[0]) + "] is available");
    }
  };
  only("all_patch_size", patch);
  only("all_f_patch_size", frame_patch);
  if (transformer.has("siglip_feat_dim")) transformer.fail("siglip_feat_dim", "the Omni variant is not available yet");

  constexpr std::size_t kMaxBlocks = 8;
  const auto channels = vae.get_ints("block_out_channels", 1, 65'536, kMaxBlocks);
  if (channels.empty()) vae.fail("block_out_channels", "empty");
  return static_cast<int>(patch[0]) << (channels.size() - 1);
}

SamplingDefaults z_image_defaults(const fs::path& folder) {
  constexpr double kTurboShift = 3;
  SamplingDefaults defaults;
  defaults.shift = read_shift(folder / "scheduler" / "scheduler_config.json");
  const bool turbo = defaults.shift == kTurboShift;
  defaults.steps = turbo ? 8 : 28;
  defaults.guidance = turbo ? 0 : 4;
  defaults.size_multiple = read_size_multiple(folder);
  return defaults;
}

void add_field(Sha256& hash, std::string_view name, std::string_view bytes) {
  hash.update(std::string(name) + " " + std::to_string(bytes.size()) + "\n");
  hash.update(bytes);
}

/// Small shards whole; of large ones blocks at even distances, the first and the last among them.
void add_shard(Sha256& hash, const SafetensorsFile& shard) {
  constexpr std::uint64_t kBlock = 64 << 10, kBlocks = 16;
  add_field(hash, "header", shard.header_text());
  const std::uint64_t start = 8 + shard.header_text().size(), bytes = shard.bytes() - start;
  hash.update("data " + std::to_string(bytes) + "\n");
  std::vector<std::byte> block(kBlock);
  const std::uint64_t count = std::min(kBlocks, (bytes + kBlock - 1) / kBlock);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t last = bytes - std::min(kBlock, bytes);  // where the last block begins
    const std::uint64_t at =
        bytes <= kBlock * kBlocks ? i * kBlock : last / (kBlocks - 1) * i + last % (kBlocks - 1) * i / (kBlocks - 1);
    block.resize(std::min(kBlock, bytes - at));
    shard.read(start + at, block);
    hash.update(block);
  }
}

std::string fingerprint(const fs::path& folder, bool weights) {
  Sha256 hash;
  for (const char* name : {"scheduler/scheduler_config.json", "text_encoder/config.json", "tokenizer/tokenizer.json",
                           "transformer/config.json", "vae/config.json"}) {
    add_field(hash, name, read_file(folder / name, kMaxTokenizerBytes));
  }
  if (weights) {
    for (const char* part : {"text_encoder", "transformer", "vae"}) {
      hash.update(std::string(part) + "\n");
      for (const SafetensorsFile& shard : open_shards(folder / part)) add_shard(hash, shard);
    }
  }
  return hash.hex();
}

}  // namespace

Checkpoint inspect(const Job& job) {
  if (job.model.family == "fake") {
    return {"fake", {.steps = 4, .guidance = 0, .shift = 1, .size_multiple = 1}, sha256_hex("fake")};
  }
  if (!fs::is_directory(job.model.path)) {
    throw ConfigError(job.model.path.string() + ": no such folder; fix model.path", ExitCode::input_missing);
  }
  Checkpoint checkpoint;
  checkpoint.family = find_family(job);
  checkpoint.defaults = z_image_defaults(job.model.path);
  checkpoint.fingerprint = fingerprint(job.model.path, job.model.weights == "checkpoint");
  return checkpoint;
}

}  // namespace trireme
