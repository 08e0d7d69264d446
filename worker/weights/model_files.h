#pragma once
// What every rank must know of a checkpoint folder before weights are read: configs, tokenizer and the list of tensors.
// Rank 0 reads it from disk, the others get it by broadcast: the file system sees one reader a job.

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "worker/transport/transport.h"

namespace trireme {

struct TensorEntry {
  std::string name;
  std::string dtype;  // as in safetensors: "F32", "BF16", "F16", ...
  std::vector<std::int64_t> shape;
  int shard = 0;                        // index into ModelPart::shards
  std::uint64_t offset = 0, bytes = 0;  // in the shard file
};

struct ModelPart {
  std::string config_file;           // relative to the checkpoint folder: "transformer/config.json"
  std::string config;                // its text; "{}" when a file that may be missing is
  std::vector<std::string> shards;   // file paths, only opened by rank 0
  std::vector<TensorEntry> tensors;  // in file order: by shard, then by offset

  const TensorEntry* find(const std::string& name) const;  // nullptr when absent
};

struct ModelFiles {
  std::filesystem::path folder;
  std::map<std::string, ModelPart> parts;  // by the names in common/families.cpp
  std::string tokenizer_json;

  /// Throws ConfigError(bad_data or input_missing) naming folder and part.
  const ModelPart& part(const std::string& name) const;
};

/// Rank 0 only. The files that common/families.h lists for the family, the tensors sharded with an index or in a single
/// file; the tensor names may be those of a single-file checkpoint. Throws input_missing for what is missing and
/// bad_data for damaged files, naming them. `weights` false (dummy weights): tensor files are not looked at, `tensors`
/// stays empty.
ModelFiles read_model_files(const std::filesystem::path& folder, bool weights, const std::string& family = "z_image");

/// Collective: rank 0's files on every rank; what the others pass is ignored.
ModelFiles share_model_files(ModelFiles files, Transport& transport);

/// The bytes that `share_model_files` broadcasts. Decoding trusts nothing: Error(internal) says what does not fit.
Bytes encode_model_files(const ModelFiles& files);
ModelFiles decode_model_files(std::span<const std::byte> bytes);

}  // namespace trireme
