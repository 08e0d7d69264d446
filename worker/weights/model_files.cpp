#include "worker/weights/model_files.h"

#include <algorithm>

#include "common/errors.h"
#include "common/families.h"
#include "common/files.h"
#include "common/safetensors.h"
#include "worker/transport/wire.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestConfig = 16'000'000, kLargestTokenizer = 256'000'000;

std::string read_text(const fs::path& file, std::uint64_t max_bytes) {
  std::error_code error;
  if (!fs::exists(file, error)) {
    throw ConfigError(file.string() + ": missing; model.path must name a complete checkpoint folder",
                      ExitCode::input_missing);
  }
  return read_file(file, max_bytes);
}

void read_tensor_list(const fs::path& folder, ModelPart& part) {
  for (const SafetensorsFile& file : open_shards(folder)) {
    const int shard = static_cast<int>(part.shards.size());
    part.shards.push_back(file.path().string());
    for (const TensorInfo& tensor : file.tensors()) {
      part.tensors.push_back({tensor.name, tensor.dtype, tensor.shape, shard, tensor.offset, tensor.bytes});
    }
  }
}

void write(wire::Writer& out, const ModelPart& part) {
  out.text(part.config_file);
  out.text(part.config);
  out.number<std::uint64_t>(part.shards.size());
  for (const std::string& shard : part.shards) out.text(shard);
  out.number<std::uint64_t>(part.tensors.size());
  for (const TensorEntry& entry : part.tensors) {
    out.text(entry.name);
    out.text(entry.dtype);
    out.number<std::uint64_t>(entry.shape.size());
    for (const std::int64_t size : entry.shape) out.number(size);
    out.number<std::int32_t>(entry.shard);
    out.number(entry.offset);
    out.number(entry.bytes);
  }
}

// The least that an entry takes in its encoding: bounds for counts.
constexpr std::size_t kSmallestText = 8, kSmallestTensor = 44, kSmallestPart = 40;

ModelPart read_part(wire::Reader& in) {
  ModelPart part;
  part.config_file = in.text();
  part.config = in.text();
  part.shards.resize(in.count(kSmallestText));
  for (std::string& shard : part.shards) shard = in.text();
  part.tensors.resize(in.count(kSmallestTensor));
  for (TensorEntry& entry : part.tensors) {
    entry.name = in.text();
    entry.dtype = in.text();
    entry.shape.resize(in.count(sizeof(std::int64_t)));
    for (std::int64_t& size : entry.shape) {
      size = in.number<std::int64_t>();
      if (size < 0) in.fail("a size, found " + std::to_string(size));
    }
    entry.shard = in.number<std::int32_t>();
    if (entry.shard < 0 || entry.shard >= static_cast<int>(part.shards.size())) {
      in.fail("one of " + std::to_string(part.shards.size()) + " shards, found " + std::to_string(entry.shard));
    }
    entry.offset = in.number<std::uint64_t>();
    entry.bytes = in.number<std::uint64_t>();
  }
  return part;
}

}  // namespace

const TensorEntry* ModelPart::find(const std::string& name) const {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const TensorEntry& entry) { return entry.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

const ModelPart& ModelFiles::part(const std::string& name) const {
  const auto found = parts.find(name);
  if (found == parts.end()) {
    throw ConfigError(folder.string() + ": has no " + name + "/, which this model family needs",
                      ExitCode::input_missing);
  }
  return found->second;
}

ModelFiles read_model_files(const fs::path& folder, bool weights, const std::string& family) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    throw ConfigError(folder.string() + ": no such folder; model.path must name a checkpoint folder",
                      ExitCode::input_missing);
  }
  ModelFiles files;
  files.folder = folder;
  const FamilyFiles& listed = files_of(family, folder);
  for (const PartFiles& listed_part : listed.parts) {
    const fs::path file = folder / listed_part.config;
    ModelPart& part = files.parts[listed_part.name];
    part.config_file = listed_part.config;
    part.config = listed_part.may_miss && !fs::exists(file, error)
                      ? "{}"
                      : read_text(file, listed_part.has_tensors ? kLargestConfig : kLargestTokenizer);
    if (weights && listed_part.has_tensors) read_tensor_list(file.parent_path(), part);
  }
  files.tokenizer_json = read_text(folder / listed.tokenizer, kLargestTokenizer);
  return files;
}

Bytes encode_model_files(const ModelFiles& files) {
  wire::Writer out;
  out.text(files.folder.string());
  out.text(files.tokenizer_json);
  out.number<std::uint64_t>(files.parts.size());
  for (const auto& [name, part] : files.parts) {
    out.text(name);
    write(out, part);
  }
  return out.take();
}

ModelFiles decode_model_files(std::span<const std::byte> bytes) {
  wire::Reader in(bytes, "model files");
  ModelFiles files;
  files.folder = in.text();
  files.tokenizer_json = in.text();
  for (std::size_t left = in.count(kSmallestPart); left > 0; --left) {
    const std::string name = in.text();
    if (!files.parts.emplace(name, read_part(in)).second) in.fail("each part once, found '" + name + "' again");
  }
  in.end();
  return files;
}

ModelFiles share_model_files(ModelFiles files, Transport& transport) {
  if (transport.size() == 1) return files;
  if (transport.rank() != 0) return decode_model_files(transport.broadcast(Bytes(), 0));
  transport.broadcast(encode_model_files(files), 0);
  return files;
}

}  // namespace trireme
