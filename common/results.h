#pragma once
// results.jsonl: what became of each item, in the order of the input. Rank 0, at the end of a job.

#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/item.h"
#include "common/journal_lines.h"

namespace trireme {

/// One line an item, with the keys of its journal line; items that are neither finished nor failed have none. Replaces
/// `file` as a whole. Throws Error(io_error or cannot_create).
void write_results(const std::filesystem::path& file, const std::vector<Item>& items,
                   const std::unordered_map<std::string, ItemRecord>& records);

}  // namespace trireme
