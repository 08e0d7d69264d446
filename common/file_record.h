#pragma once
// Result files as the journal knows them: plain data. Any thread.

#include <cstdint>
#include <string>

namespace trireme {

/// A result file, relative to the run directory. `file` empty: there is none.
struct FileRecord {
  std::string file;
  std::string sha256;
  std::uint64_t bytes = 0;
  bool operator==(const FileRecord&) const = default;
};

/// What the rank that made an item has written of it (output.write: local).
struct SavedFiles {
  FileRecord picture, tensors;
  double seconds = 0;  // to encode, write and sync
};

}  // namespace trireme
