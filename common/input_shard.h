#pragma once
// A job's share of the input: unit u of the whole input belongs to shard u modulo n, so n jobs side by side (such as
// the tasks of a Slurm array) make everything exactly once. Each works in a folder of its own inside output.directory,
// under the run id of the whole; `trireme merge` joins them. Any rank and the trireme command.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

struct InputShard {
  int index = 0, count = 1;
  bool takes(std::uint64_t unit) const {
    return unit % static_cast<std::uint64_t>(count) == static_cast<unsigned>(index);
  }
  bool operator==(const InputShard&) const = default;
};

/// "2/4": the third of four, counted from 0. Throws ConfigError(usage).
InputShard parse_shard(std::string_view text);
std::string to_text(const InputShard& shard);  // "2/4"

/// What --shard says (empty: nothing was given), else the place of this task in an array job, else nothing.
std::optional<InputShard> choose_shard(const std::string& option);

/// "shard-00002-of-00004"
std::string folder_name(const InputShard& shard);
/// The shards that have folders in `directory`, in order.
std::vector<InputShard> shards_in(const std::filesystem::path& directory);

/// For a job on the whole input: throws ConfigError when `directory` holds shards that were not merged, naming the flag
/// that was forgotten.
void refuse_unmerged_shards(const std::filesystem::path& directory);

}  // namespace trireme
