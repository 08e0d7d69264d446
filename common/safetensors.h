#pragma once
// Strict reader of safetensors files and of folders of them. A damaged file is refused with file and tensor before any
// byte of data is used; nothing is mapped, so a file cut short while we read is an error and not a signal.
// Thrown: Error(input_missing) for a file that can't be opened, Error(bad_data) for what the format forbids,
// Error(io_error) when reading fails. Ref: huggingface/safetensors README (format) and safetensors/src/tensor.rs.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/files.h"

namespace trireme {

struct TensorInfo {
  std::string name;
  std::string dtype;                    // as written: "F32", "BF16", "F8_E4M3", "I64", "BOOL", ...
  std::vector<std::int64_t> shape;      // empty for a scalar
  std::uint64_t offset = 0, bytes = 0;  // place in the file, counted from its first byte
};

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // in the order of their offsets
  std::map<std::string, std::string> metadata;
};

/// Bytes of one element; 0 for a dtype that the reader does not know.
std::uint64_t dtype_bytes(std::string_view dtype);

/// Checks a header (the JSON text alone) against a file of `file_bytes`. `source` names the file in errors.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t file_bytes, const std::string& source);

/// One open file. Reading is safe from several threads.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t bytes() const { return bytes_; }  // of the whole file
  const std::string& header_text() const { return header_text_; }
  const std::vector<TensorInfo>& tensors() const { return header_.tensors; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  const TensorInfo* find(std::string_view name) const;  // nullptr when absent

  /// Fills `into` from `offset` of the file. Throws Error(io_error) when the file ends before that.
  void read(std::uint64_t offset, std::span<std::byte> into) const;
  /// Asks the system to fetch that range from the disk all at once: a hint, for what is read next.
  void prefetch(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  void read_header();

  std::filesystem::path path_;
  Descriptor descriptor_;
  std::uint64_t bytes_ = 0;
  std::string header_text_;
  SafetensorsHeader header_;
  std::map<std::string_view, const TensorInfo*> by_name_;
};

/// The files of one part of a checkpoint, in the order of their names: those of its index file, or the single file.
/// Names only: the files may be absent. Throws Error(input_missing) when the folder has neither.
std::vector<std::filesystem::path> list_shards(const std::filesystem::path& folder);

/// The same files, opened, and checked against the index: every tensor is in the shard that the index names, and no
/// tensor is in two. Tensors that the index does not mention stay visible to the caller.
std::vector<SafetensorsFile> open_shards(const std::filesystem::path& folder);

}  // namespace trireme
