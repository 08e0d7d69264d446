#pragma once
// shard.json in the folder of a shard: which part of the input it is, and where its items stand in the whole, so that
// shards are joined in input order without the prompts file. Rank 0 writes it before any work; `trireme merge` reads
// it.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/input_shard.h"
#include "common/item.h"

namespace trireme {

struct ShardFile {
  InputShard shard;
  std::uint64_t total = 0;  // items of the whole input
  std::vector<std::string> ids;
  std::vector<std::uint64_t> places;  // of the ids in the whole input
};

/// `units` of the whole input are left with those of this shard, `items` with those in them, in order.
ShardFile take_shard(const InputShard& shard, std::vector<Item>& items, std::vector<Unit>& units);

void write_shard_file(const std::filesystem::path& folder, const ShardFile& file);
/// Throws Error(bad_data), and ConfigError(input_missing) when there is none.
ShardFile read_shard_file(const std::filesystem::path& folder);

}  // namespace trireme
