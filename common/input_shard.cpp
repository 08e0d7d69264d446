#include "common/input_shard.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "common/errors.h"
#include "common/host.h"
#include "common/run_directory.h"
#include "common/slurm.h"
#include "common/utf8.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr int kMostShards = 99'999;  // five digits

std::optional<int> whole(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<InputShard> shard_of(std::string_view index, std::string_view count) {
  const auto i = whole(index), n = whole(count);
  if (!i || !n || *n < 1 || *n > kMostShards || *i < 0 || *i >= *n) return std::nullopt;
  return InputShard{*i, *n};
}

std::optional<InputShard> shard_of_folder(std::string_view name) {
  constexpr std::string_view kStart = "shard-", kMiddle = "-of-";
  if (!name.starts_with(kStart)) return std::nullopt;
  name.remove_prefix(kStart.size());
  const std::size_t middle = name.find(kMiddle);
  if (middle == std::string_view::npos) return std::nullopt;
  const auto shard = shard_of(name.substr(0, middle), name.substr(middle + kMiddle.size()));
  if (!shard || folder_name(*shard) != std::string(kStart) + std::string(name)) return std::nullopt;
  return shard;
}

}  // namespace

InputShard parse_shard(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto shard =
      slash == std::string_view::npos ? std::nullopt : shard_of(text.substr(0, slash), text.substr(slash + 1));
  if (!shard) {
    throw ConfigError("--shard " + printable(text, 40) + ": not a share of the input; 0/4 to 3/4 are the four of four",
                      ExitCode::usage);
  }
  return *shard;
}

std::string to_text(const InputShard& shard) { return std::to_string(shard.index) + "/" + std::to_string(shard.count); }

std::optional<InputShard> choose_shard(const std::string& option) {
  if (!option.empty()) return parse_shard(option);
  const auto task = slurm::array_task(environment());
  return task ? std::optional(InputShard{task->index, task->count}) : std::nullopt;
}

std::string folder_name(const InputShard& shard) {
  std::array<char, 40> name{};
  std::snprintf(name.data(), name.size(), "shard-%05d-of-%05d", shard.index, shard.count);
  return name.data();
}

std::vector<InputShard> shards_in(const fs::path& directory) {
  std::vector<InputShard> shards;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    if (const auto shard = shard_of_folder(entry.path().filename().string())) shards.push_back(*shard);
  }
  std::sort(shards.begin(), shards.end(), [](const InputShard& a, const InputShard& b) {
    return a.count != b.count ? a.count < b.count : a.index < b.index;
  });
  return shards;
}

void refuse_unmerged_shards(const fs::path& directory) {
  const std::vector<InputShard> shards = shards_in(directory);
  std::error_code ignored;
  if (shards.empty() || fs::exists(RunPaths{directory}.journal(), ignored)) return;
  throw ConfigError(directory.string() + " holds shares of a run (" + folder_name(shards.front()) + "): --shard i/" +
                    std::to_string(shards.front().count) + " goes on with one of them, `trireme merge " +
                    directory.string() + "` joins them");
}

}  // namespace trireme
