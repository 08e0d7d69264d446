#pragma once
// results.jsonl: what became of each item, in the order of the input. Rank 0, at the end of a job.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/item.h"
#include "common/journal_lines.h"

namespace trireme {

/// One line an item, with the keys of its journal line, and `prompt` and `images` of the input; items that are neither
/// finished nor failed have none. Replaces `file` as a whole. Throws Error(io_error or cannot_create).
void write_results(const std::filesystem::path& file, const std::vector<Item>& items,
                   const std::unordered_map<std::string, ItemRecord>& records);

/// What a line says beside the journal's.
struct ResultLine {
  std::string id;
  std::string file;  // picture, relative to the run directory; empty: none
  std::string prompt;
  std::vector<std::string> images;  // names of the input's pictures
};
/// In the order of the input. Throws Error: input_missing, bad_data (file:line).
std::vector<ResultLine> read_results(const std::filesystem::path& file, std::size_t most = SIZE_MAX);

}  // namespace trireme
