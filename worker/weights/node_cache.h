#pragma once
// model.cache: copies of a checkpoint's shards on a host's own disk, so that later jobs do not ask the shared file
// system. A copy lies under the checkpoint's fingerprint and is looked at before each use: size, header and sampled
// blocks; one that does not fit is made again. Copies of other checkpoints stay: they are the user's to remove.

#include <filesystem>
#include <functional>
#include <string>

#include "worker/transport/transport.h"
#include "worker/weights/model_files.h"

namespace trireme {

struct NodeCache {
  std::filesystem::path folder;  // model.cache
  std::string fingerprint;       // of the checkpoint
  bool copies_here = false;      // this rank makes the copies of its host
};

/// Collective: returns when every host has its copies. `files` with shards that name them. `on_progress`: the
/// watchdog's counter. Throws Error: io_error (disk full), cannot_create (no permission), input_missing (the checkpoint
/// is not to be seen from this host).
ModelFiles use_node_cache(ModelFiles files, const NodeCache& cache, Transport& transport,
                          const std::function<void()>& on_progress);

}  // namespace trireme
