#pragma once
// Writes tensors of host memory as one safetensors file. Equal tensors give equal bytes: int64 first, then float32,
// each in order of the names; the header is padded with blanks so that data begins at a multiple of 8 and every element
// is aligned. Ref: huggingface/safetensors, README (format) and safetensors/src/tensor.rs (order). Any thread.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

#include "common/journal_lines.h"

namespace trireme {

/// Contiguous float32 or int64 tensors on the CPU; anything else is Error(internal). Writes `directory / name` durably;
/// the record holds `name`, bytes and hash.
FileRecord write_tensors_file(const std::filesystem::path& directory, const std::string& name,
                              const std::map<std::string, at::Tensor>& tensors);

}  // namespace trireme
