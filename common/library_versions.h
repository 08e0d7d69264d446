#pragma once
// The libraries under a program, as compiled against and as loaded: for --version, the doctor and reports. Any thread;
// nothing fails.

#include <string>
#include <vector>

namespace trireme {

struct LibraryVersion {
  std::string library;   // "NCCL"
  std::string compiled;  // what the headers said; empty: the library does not tell
  std::string running;   // what is loaded; empty: it does not tell, or is not there, such as a driver
};

/// "NCCL 2.28.9", or "NCCL 2.28.9 (compiled against 2.27.3)" where the two differ.
std::string to_text(const LibraryVersion& version);

/// Of what common/ stands on.
std::vector<LibraryVersion> common_library_versions();

}  // namespace trireme
