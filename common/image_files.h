#pragma once
// The picture files that text items name: found and hashed when the input is read, read again when their unit is handed
// out. Rank 0. Whatever is wrong with a file is its item's error, never the job's; a path that leads out of the folder
// is the input's mistake.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "common/item.h"
#include "common/picture_size.h"

namespace trireme {

/// Of one file and of all files of an item; more is the item's error.
constexpr std::uint64_t kMaxImageBytes = 64u << 20, kMaxItemImageBytes = 256u << 20;

/// The folder that picture paths are relative to and may not leave.
class ImageRoot {
 public:
  explicit ImageRoot(const std::filesystem::path& folder);

  /// Why a name can't be one: empty, a URL, or a path out of the folder, symbolic links resolved.
  std::optional<std::string> why_refused(const std::string& name) const;
  /// Adds the picture to the item; says in `item.error` when it can't be read. Each file is hashed once.
  std::uint32_t add(const std::string& name, Item& item);

 private:
  struct Found {
    std::string sha256, error;
    std::uint64_t bytes = 0;
    PixelSize size;
  };
  std::filesystem::path resolved(const std::string& name) const;
  const Found& look_at(const std::filesystem::path& file);

  std::filesystem::path root_;
  std::map<std::filesystem::path, Found> seen_;
};

/// Fills `data` of every picture. A file that is gone or another than before becomes the item's error.
void read_pictures(Item& item);

}  // namespace trireme
