#pragma once
// The model families: which files of a checkpoint folder each is made of. Every file is part of the fingerprint, and
// the worker loads what is listed. To add a family: a list of files here, a line in checkpoint.cpp's table, a folder
// and a line in worker/models.

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace trireme {

/// One part of a checkpoint. Its tensors lie beside its config.
struct PartFiles {
  const char* name;    // by which models ask for it
  const char* config;  // relative to the checkpoint folder
  bool has_tensors = true;
  bool may_miss = false;  // then it is taken as {}
};

struct FamilyFiles {
  const char* family;
  std::span<const PartFiles> parts;
  const char* tokenizer;  // relative to the checkpoint folder
};

/// A family may be laid out in more than one way: that of which the folder has all configs, else the first, so that
/// messages name what that one lacks. Throws Error(internal) for a name that is not in the list; `fake` families have
/// no files.
const FamilyFiles& files_of(std::string_view family, const std::filesystem::path& folder);

}  // namespace trireme
