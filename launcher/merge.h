#pragma once
// trireme merge RUN: joins the shards in a run directory into one run, as if one job had made it: pictures and tensors
// linked (or copied) beside each other, one journal, results.jsonl in input order. The shards stay as they are; the
// same job without --shard finishes what is missing; merging again brings what the shards have made since.

#include <CLI/App.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/errors.h"

namespace trireme {

void add_merge(CLI::App& app);

struct MergeReport {
  std::uint64_t total = 0, done = 0, failed = 0;  // items of the whole input
  int shards = 0, of = 0;                         // found, and how many there should be
  std::vector<std::string> notes;                 // what to look at
  /// ok, some_items_failed, or stopped_early: something is not finished.
  ExitCode code() const;
};

/// Throws ConfigError when there is nothing to join or the shards are of different runs, Error(cannot_create) when a
/// job still works on one of them.
MergeReport merge_shards(const std::filesystem::path& directory);

}  // namespace trireme
