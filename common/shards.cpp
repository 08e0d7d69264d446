// Which files hold the tensors of one part of a checkpoint: an index file with its shards, or a single file.

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <unordered_map>

#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"
#include "common/safetensors.h"
#include "common/utf8.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 2> kStems{"model.safetensors", "diffusion_pytorch_model.safetensors"};
constexpr std::uint64_t kMaxIndexBytes = 100'000'000;

struct Index {
  fs::path file;
  std::map<std::string, std::string> shard_of;  // tensor -> file name
};

bool is_basename(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos && name.find('\0') == name.npos;
}

std::optional<Index> read_index(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const char* stem : kStems) {
    const fs::path file = folder / (std::string(stem) + ".index.json");
    if (fs::is_regular_file(file)) found.push_back(file);
  }
  if (found.empty()) return std::nullopt;
  if (found.size() > 1) {
    throw Error(ExitCode::bad_data, folder.string() + ": has both " + found[0].filename().string() + " and " +
                                        found[1].filename().string() + "; remove the one that is not meant");
  }
  Index index{found[0], {}};
  const nlohmann::json root = parse_json(read_file(index.file, kMaxIndexBytes), index.file.string());
  const JsonObject map = JsonObject(root, index.file.string()).get_object("weight_map");
  for (const auto& [tensor, shard] : map.value().items()) {
    if (!shard.is_string() || !is_basename(shard.get_ref<const std::string&>())) {
      map.fail(printable(tensor), "not the name of a file in the same folder");
    }
    index.shard_of.emplace(tensor, shard.get<std::string>());
  }
  if (index.shard_of.empty()) throw Error(ExitCode::bad_data, index.file.string() + ": weight_map is empty");
  return index;
}

std::vector<fs::path> shards_of(const Index& index, const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& [tensor, shard] : index.shard_of) names.insert(shard);
  std::vector<fs::path> paths;
  for (const std::string& name : names) paths.push_back(folder / name);
  return paths;
}

fs::path single_file(const fs::path& folder) {
  for (const char* name : kStems) {
    if (fs::is_regular_file(folder / name)) return folder / name;
  }
  std::vector<fs::path> others;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().extension() == ".safetensors") others.push_back(entry.path());
  }
  if (others.empty()) throw Error(ExitCode::input_missing, folder.string() + ": no .safetensors file and no index");
  if (others.size() > 1) {
    throw Error(ExitCode::input_missing,
                folder.string() + ": " + std::to_string(others.size()) +
                    " .safetensors files and no *.safetensors.index.json to tell which belong");
  }
  return others.front();
}

struct Shards {
  std::optional<Index> index;
  std::vector<fs::path> paths;
};

Shards find_shards(const fs::path& folder) try {
  if (!fs::is_directory(folder)) throw Error(ExitCode::input_missing, folder.string() + ": no such folder");
  Shards shards{read_index(folder), {}};
  shards.paths = shards.index ? shards_of(*shards.index, folder) : std::vector{single_file(folder)};
  return shards;
} catch (const fs::filesystem_error& error) {
  throw Error(ExitCode::input_missing, error.path1().string() + ": " + error.code().message());
}

void check_against_index(const Index& index, const std::unordered_map<std::string_view, const SafetensorsFile*>& home) {
  for (const auto& [tensor, shard] : index.shard_of) {
    const auto found = home.find(tensor);
    if (found == home.end() || found->second->path().filename() != shard) {
      throw Error(ExitCode::bad_data, index.file.string() + ": tensor '" + printable(tensor) + "' is not in " +
                                          printable(shard) +
                                          (found == home.end() ? "" : " but in " + found->second->path().string()));
    }
  }
}

}  // namespace

std::vector<fs::path> list_shards(const fs::path& folder) { return find_shards(folder).paths; }

std::vector<SafetensorsFile> open_shards(const fs::path& folder) {
  const auto [index, paths] = find_shards(folder);
  std::vector<SafetensorsFile> files;
  for (const fs::path& path : paths) {
    std::error_code ignored;
    if (index && !fs::exists(path, ignored)) {
      throw Error(ExitCode::input_missing,
                  path.string() + ": missing, but named in " + index->file.filename().string());
    }
    files.emplace_back(path);
  }
  std::unordered_map<std::string_view, const SafetensorsFile*> home;
  for (const SafetensorsFile& file : files) {
    for (const TensorInfo& tensor : file.tensors()) {
      const auto [place, is_new] = home.emplace(tensor.name, &file);
      if (!is_new) {
        throw Error(ExitCode::bad_data, file.path().string() + ": tensor '" + printable(tensor.name) + "' is in " +
                                            place->second->path().string() + " as well");
      }
    }
  }
  if (index) check_against_index(*index, home);
  return files;
}

}  // namespace trireme
