#include "common/checkpoint.h"

#include <algorithm>
#include <vector>

#include "common/errors.h"
#include "common/families.h"
#include "common/files.h"
#include "common/json.h"
#include "common/sampling_defaults.h"
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
  std::string pipeline;      // model_index.json: _class_name
  std::string transformer;   // transformer/config.json: _class_name
  std::string model_type;    // config.json at the top, or that of the transformer: model_type
  std::string architecture;  // config.json at the top: the first of architectures
};

std::string first_architecture(const fs::path& file) {
  if (!fs::exists(file)) return "";
  const json config = read_config(file);
  const JsonObject object(config, file.string());
  if (!object.has("architectures")) return "";
  const json& list = object.at("architectures");
  return list.is_array() && !list.empty() && list[0].is_string() ? list[0].get<std::string>() : "";
}

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
  names.architecture = first_architecture(folder / "config.json");
  return names;
}

struct Family {
  const char* name;
  const char* sign;                         // what names it, for messages
  bool (*fits)(const Names&, bool chosen);  // chosen: model.family says so
  SamplingDefaults (*defaults)(const fs::path& folder);
};

bool is_z_image(const Names& names, bool chosen) {
  const bool transformer = names.transformer == "ZImageTransformer2DModel";
  if (chosen) return transformer || names.transformer.empty();  // a missing or foreign pipeline name is no obstacle
  if (!names.transformer.empty() && !transformer) return false;
  return names.pipeline == "ZImagePipeline" || (transformer && names.pipeline.empty());
}

bool is_newbie_image(const Names& names, bool chosen) {
  const bool lumina = names.transformer == "Lumina2Transformer2DModel";  // the conversion's name for it
  return names.pipeline == "NewbiePipeline" || names.model_type == "nextdit_clip" ||
         names.transformer == "NextDiT_3B_GQA_patch2_Adaln_Refiner_WHIT_CLIP" || (chosen && lumina);
}

bool is_qwen2_5_vl(const Names& names, bool) {
  return names.model_type == "qwen2_5_vl" || names.architecture == "Qwen2_5_VLForConditionalGeneration";
}

// To add a family: a line here. The first that fits is it.
constexpr Family kFamilies[] = {
    {"z_image", "ZImagePipeline", is_z_image, z_image_defaults},
    {"newbie_image", "NewbiePipeline", is_newbie_image, newbie_image_defaults},
    {"qwen2_5_vl", "model_type qwen2_5_vl", is_qwen2_5_vl, qwen2_5_vl_defaults},
};

std::string built() {
  std::string list;
  for (const Family& family : kFamilies) list += std::string(family.name) + " (" + family.sign + "), ";
  return list + "fake, fake_text";
}

const Family& find_family(const Job& job) {
  const Names names = read_names(job.model.path);
  const std::string folder = job.model.path.string();
  for (const Family& family : kFamilies) {
    const bool chosen = job.model.family == family.name;
    if ((chosen || job.model.family == "auto") && family.fits(names, chosen)) return family;
  }
  std::string found;
  const auto add = [&](const char* place, const std::string& word) {
    if (!word.empty()) found += (found.empty() ? "" : ", ") + std::string(place) + " says '" + printable(word) + "'";
  };
  add("model_index.json", names.pipeline);
  add("transformer/config.json", names.transformer);
  add("model_type", names.model_type);
  add("architectures", names.architecture);
  if (found.empty()) found = "no model_index.json, transformer/config.json or config.json names a model";
  const std::string wanted = job.model.family == "auto" ? "a model that can be run" : job.model.family;
  throw Error(ExitCode::bad_data, folder + ": not " + wanted + ": " + found + "; built: " + built());
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

std::string fingerprint(const fs::path& folder, const FamilyFiles& files, bool weights) {
  std::vector<std::string> names{files.tokenizer};
  for (const PartFiles& part : files.parts) {
    if (!part.may_miss || fs::exists(folder / part.config)) names.emplace_back(part.config);
  }
  std::sort(names.begin(), names.end());
  Sha256 hash;
  for (const std::string& name : names) add_field(hash, name, read_file(folder / name, kMaxTokenizerBytes));
  for (const PartFiles& part : files.parts) {
    if (!weights || !part.has_tensors) continue;
    hash.update(std::string(part.name) + "\n");
    for (const SafetensorsFile& shard : open_shards((folder / part.config).parent_path())) add_shard(hash, shard);
  }
  return hash.hex();
}

/// Families without files, for tests.
Checkpoint fake(const std::string& family) {
  Checkpoint checkpoint{family, {.steps = 4}, sha256_hex(family)};
  if (family == "fake_text") checkpoint.defaults.makes = Makes::text;
  return checkpoint;
}

}  // namespace

std::string shard_fingerprint(const SafetensorsFile& shard) {
  Sha256 hash;
  add_shard(hash, shard);
  return hash.hex();
}

Checkpoint inspect(const Job& job) {
  if (job.model.family.starts_with("fake")) return fake(job.model.family);
  if (!fs::is_directory(job.model.path)) {
    throw ConfigError(job.model.path.string() + ": no such folder; fix model.path", ExitCode::input_missing);
  }
  const Family& family = find_family(job);
  return {family.name, family.defaults(job.model.path),
          fingerprint(job.model.path, files_of(family.name, job.model.path), job.model.weights == "checkpoint")};
}

}  // namespace trireme
