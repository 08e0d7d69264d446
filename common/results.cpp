#include "common/results.h"

#include "common/files.h"

namespace trireme {

void write_results(const std::filesystem::path& file, const std::vector<Item>& items,
                   const std::unordered_map<std::string, ItemRecord>& records) {
  AtomicFile out(file);
  std::string lines;
  for (const Item& item : items) {
    const auto record = records.find(item.id);
    if (record == records.end()) continue;
    lines += to_json(record->second).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    if (lines.size() < 1 << 20) continue;
    out.append(lines);
    lines.clear();
  }
  out.append(lines);
  out.commit(Durability::synced);
}

}  // namespace trireme
