#include "common/results.h"

#include <algorithm>

#include "common/files.h"
#include "common/json.h"

namespace trireme {
namespace {

/// Of a conversation what the user said last.
std::string prompt_of(const Item& item) {
  if (!item.prompt.empty()) return item.prompt;
  for (auto message = item.messages.rbegin(); message != item.messages.rend(); ++message) {
    if (message->role != "user") continue;
    std::string words;
    for (const ContentPart& part : message->content) words += part.text;
    return words;
  }
  return "";
}

void add_input(nlohmann::ordered_json& line, const Item& item) {
  if (const std::string prompt = prompt_of(item); !prompt.empty()) line["prompt"] = prompt;
  for (const ImageFile& image : item.images) line["images"].push_back(image.name);
}

}  // namespace

void write_results(const std::filesystem::path& file, const std::vector<Item>& items,
                   const std::unordered_map<std::string, ItemRecord>& records) {
  AtomicFile out(file);
  std::string lines;
  for (const Item& item : items) {
    const auto record = records.find(item.id);
    if (record == records.end()) continue;
    nlohmann::ordered_json line = to_json(record->second);
    add_input(line, item);
    lines += line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    if (lines.size() < 1 << 20) continue;
    out.append(lines);
    lines.clear();
  }
  out.append(lines);
  out.commit(Durability::synced);
}

std::vector<ResultLine> read_results(const std::filesystem::path& file, std::size_t most) {
  constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 33;
  const std::string text = read_file(file, kMaxFileBytes);
  std::vector<ResultLine> lines;
  for (std::size_t start = 0, number = 1; start < text.size() && lines.size() < most; ++number) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const nlohmann::json value = parse_json(std::string_view(text).substr(start, end - start), file.string(), number);
    const JsonObject json(value, file.string() + ":" + std::to_string(number));
    ResultLine line{json.get_string("id"), json.get_string_or("file", ""), json.get_string_or("prompt", ""), {}};
    if (json.has("images")) {
      for (const nlohmann::json& name : json.at("images")) line.images.push_back(name.get<std::string>());
    }
    lines.push_back(std::move(line));
    start = end + 1;
  }
  return lines;
}

}  // namespace trireme
