#pragma once
// What a job must know of its model before anything is loaded: the family, the family's defaults and a fingerprint.
// Rank 0 and the launcher read it; no tensor is read. Throws ConfigError(input_missing) for missing folders and files,
// Error(bad_data) for what is damaged, unknown, or not built yet, naming the file and what was found in it.

#include <string>

#include "common/job.h"

namespace trireme {

/// What `auto` means for this checkpoint, and which sizes it can make.
struct SamplingDefaults {
  int steps = 0;
  double guidance = 0;
  double shift = 1;
  int size_multiple = 1;  // width and height are multiples of it
};

struct Checkpoint {
  std::string family;  // fake | z_image
  SamplingDefaults defaults;
  /// 64 hex digits: config files, and of each shard its size, header and sampled blocks (none with dummy weights). The
  /// same files in another folder have the same fingerprint.
  std::string fingerprint;
};

Checkpoint inspect(const Job& job);

}  // namespace trireme
