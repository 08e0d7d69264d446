#include "common/shard_file.h"

#include <algorithm>
#include <limits>
#include <set>

#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxBytes = std::uint64_t{2} << 30;
constexpr const char* kFormat = "trireme shard 1";

fs::path path_in(const fs::path& folder) { return folder / "shard.json"; }

}  // namespace

ShardFile take_shard(const InputShard& shard, std::vector<Item>& items, std::vector<Unit>& units) {
  ShardFile file;
  file.shard = shard;
  file.total = items.size();
  std::set<std::uint64_t> own;
  std::uint64_t unit = 0;
  std::erase_if(units, [&](const Unit& one) {
    if (!shard.takes(unit++)) return true;
    for (const Item& item : one.items) own.insert(item.index);
    return false;
  });
  std::erase_if(items, [&](const Item& item) { return !own.contains(item.index); });
  for (const Item& item : items) {
    file.ids.push_back(item.id);
    file.places.push_back(item.index);
  }
  return file;
}

void write_shard_file(const fs::path& folder, const ShardFile& file) {
  nlohmann::ordered_json json;
  json["format"] = kFormat;
  json["shard"] = to_text(file.shard);
  json["total"] = file.total;
  json["ids"] = file.ids;
  json["places"] = file.places;
  write_file(path_in(folder), json.dump() + "\n");
}

ShardFile read_shard_file(const fs::path& folder) {
  const fs::path path = path_in(folder);
  const nlohmann::json value = parse_json(read_file(path, kMaxBytes), path.string());
  const JsonObject json(value, path.string());
  if (json.get_string("format") != kFormat) json.fail("format", std::string("is not \"") + kFormat + "\"");
  ShardFile file;
  file.shard = parse_shard(json.get_string("shard"));
  file.total = json.get_uint64("total");
  constexpr std::size_t kMany = std::numeric_limits<std::size_t>::max();
  for (const std::int64_t place :
       json.get_ints("places", 0, static_cast<std::int64_t>(std::min<std::uint64_t>(file.total, 1ull << 62)), kMany)) {
    file.places.push_back(static_cast<std::uint64_t>(place));
  }
  try {
    file.ids = json.at("ids").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception&) {
    json.fail("ids", "must hold strings only");
  }
  if (file.ids.size() != file.places.size()) json.fail("places", "must be as many as ids");
  return file;
}

}  // namespace trireme
