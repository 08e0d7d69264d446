#include "common/prompts.h"

#include <algorithm>
#include <unordered_map>

#include "common/conversation.h"
#include "common/errors.h"
#include "common/family_keys.h"
#include "common/files.h"
#include "common/image_files.h"
#include "common/item_values.h"
#include "common/json.h"
#include "common/sha256.h"
#include "common/structured_prompt.h"
#include "common/utf8.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFileBytes = 1ull << 30;
constexpr std::size_t kMaxItems = 10'000'000;
constexpr std::size_t kMaxIdLength = 100;
constexpr std::size_t kMinNumberWidth = 6;

std::string lower(std::string_view id) {
  std::string folded(id);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r\v\f") == std::string_view::npos; }

/// One line's wishes before images_per_prompt multiplies them.
struct Wish {
  Item item;
  bool has_seed = false;
  int images = 1;
};

class Reader {
 public:
  Reader(const Job& job, const SamplingDefaults& defaults)
      : job_(job),
        defaults_(defaults),
        text_(defaults.makes == Makes::text),
        base_(default_item(job, defaults)),
        images_(job.input.image_root.value_or(job.input.prompts.parent_path())),
        known_(value_keys(defaults)) {
    known_.insert(known_.end(), {"id", "seed"});
  }

  std::vector<Item> read(std::string_view text, bool is_jsonl) {
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    number_width_ = std::max(kMinNumberWidth, std::to_string(lines).size());
    items_.reserve(std::min(lines, kMaxItems));
    line_of_.reserve(items_.capacity());
    for (std::size_t start = 0; start < text.size();) {
      const std::size_t end = std::min(text.find('\n', start), text.size());
      std::string_view line = text.substr(start, end - start);
      start = end + 1;
      ++line_;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (is_blank(line)) continue;
      add(is_jsonl ? parse(line) : Wish{plain(line), false, job_.sampling.images_per_prompt});
    }
    return std::move(items_);
  }

  std::vector<Item> read_yaml(std::string_view text) {
    const std::vector<YamlPrompt> prompts = read_yaml_prompts(text, job_.input.prompts.string());
    if (!prompts.empty()) {
      number_width_ = std::max(kMinNumberWidth, std::to_string(prompts.back().line).size());
    }
    for (const YamlPrompt& prompt : prompts) {
      line_ = prompt.line;
      add(parse(prompt.json));
    }
    return std::move(items_);
  }

 private:
  std::string place() const { return job_.input.prompts.string() + ":" + std::to_string(line_); }

  [[noreturn]] void fail(const std::string& key, const std::string& fact) const {
    throw Error(ExitCode::bad_data, place() + ": " + key + ": " + fact);
  }

  std::string numbered_id() const {
    const std::string number = std::to_string(line_);
    return std::string(number_width_ - number.size(), '0') + number;
  }

  Item plain(std::string_view line) const {
    Item item = base_;
    item.id = numbered_id();
    item.prompt = line;
    if (text_) plain_conversation(line, item);
    return item;
  }

  Wish parse(std::string_view line) {
    nlohmann::json value = parse_json(line, job_.input.prompts.string(), line_);
    if (!text_) render_prompts(line, value, place());
    const JsonObject object(value, place());
    Wish wish{base_, value.contains("seed"), job_.sampling.images_per_prompt};
    Item& item = wish.item;
    read_values(object, defaults_, item);
    object.refuse_unknown(known_);
    item.id = value.contains("id") ? object.get_string("id") : numbered_id();
    if (wish.has_seed) item.seed = object.get_uint64("seed");
    if (text_) {
      read_conversation(object, images_, item);
    } else {
      item.prompt = object.get_string("prompt");
      if (value.contains("images_per_prompt")) {
        wish.images = static_cast<int>(object.get_int("images_per_prompt", 1, kMaxImagesPerPrompt));
      }
    }
    return wish;
  }

  /// A size that the item has from the job file is the job file's mistake.
  void check_job_size(const char* key, int pixels) const {
    if (pixels % defaults_.size_multiple == 0) return;
    throw ConfigError(job_.file.string() + ": sampling." + key + ": " + wrong_size(pixels, defaults_));
  }

  void add(Wish wish) {
    Item& item = wish.item;
    if (const std::string why = why_unsafe(item.id); !why.empty())
      fail("id", "'" + printable(item.id, 120) + "' " + why);
    check_job_size("width", item.width);
    check_job_size("height", item.height);
    if (!wish.has_seed) item.seed = seed_of(job_.sampling.seed, item.id);
    if (wish.has_seed && item.seed > UINT64_MAX - static_cast<std::uint64_t>(wish.images - 1)) {
      fail("seed", std::to_string(item.seed) + " leaves no room for " + std::to_string(wish.images) +
                       " images; largest seed: 18446744073709551615");
    }
    if (wish.images == 1) return add_item(std::move(item));
    for (int i = 0; i < wish.images; ++i) {
      Item one = item;
      one.id += "_" + std::to_string(i);
      one.seed += static_cast<std::uint64_t>(i);
      add_item(std::move(one));
    }
  }

  void add_item(Item item) {
    if (items_.size() == kMaxItems) fail("items", "more than " + std::to_string(kMaxItems) + "; split the file");
    const auto [first, is_new] = line_of_.emplace(lower(item.id), First{line_, items_.size()});
    if (!is_new) {
      const std::string& other = items_[first->second.item].id;
      const std::string where = " on line " + std::to_string(first->second.line);
      if (other == item.id) fail("id", "duplicate '" + item.id + "', first" + where);
      fail("id", "'" + item.id + "' differs only by case from '" + other + "'" + where);
    }
    item.index = items_.size();
    items_.push_back(std::move(item));
  }

  struct First {
    std::size_t line, item;
  };

  const Job& job_;
  const SamplingDefaults& defaults_;
  const bool text_;
  const Item base_;  // what an item has when its line says nothing
  ImageRoot images_;
  std::vector<std::string_view> known_;  // keys of a line
  std::size_t line_ = 0, number_width_ = kMinNumberWidth;
  std::vector<Item> items_;
  std::unordered_map<std::string, First> line_of_;  // by lower-case id: some file systems do not tell A from a
};

[[noreturn]] void fail_at(const fs::path& file, std::string_view text, std::size_t offset, const std::string& fact) {
  const TextPosition at = position_of(text, offset);
  throw Error(ExitCode::bad_data,
              file.string() + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " + fact);
}

}  // namespace

std::string why_unsafe(std::string_view id) {
  if (id.empty()) return "is empty; an id is a file name";
  if (id.size() > kMaxIdLength) return "has more than " + std::to_string(kMaxIdLength) + " characters";
  if (id[0] == '.' || id[0] == '-') return "starts with '" + std::string(1, id[0]) + "'";
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  if (!std::all_of(id.begin(), id.end(), allowed)) return "is no safe file name; allowed: A-Z a-z 0-9 . _ -";
  return "";
}

std::uint64_t seed_of(std::uint64_t sampling_seed, std::string_view id) {
  const std::string hash = sha256_hex("trireme seed\n" + std::to_string(sampling_seed) + "\n" + std::string(id));
  return std::stoull(hash.substr(0, 16), nullptr, 16) >> 11;
}

std::vector<Item> read_items(const Job& job, const SamplingDefaults& defaults) {
  const fs::path& file = job.input.prompts;
  const std::string kind = file.extension().string();
  if (kind != ".txt" && kind != ".jsonl" && kind != ".yaml") {
    throw ConfigError(job.file.string() + ": input.prompts: " + printable(file.string(), 200) +
                      " is none of .txt, .jsonl and .yaml");
  }
  std::error_code error;
  if (fs::exists(file, error) && !fs::is_regular_file(file, error)) {
    throw Error(ExitCode::input_missing, file.string() + ": not a file; fix input.prompts");
  }
  const std::string whole = read_file(file, kMaxFileBytes);
  if (whole.starts_with("\xFF\xFE") || whole.starts_with("\xFE\xFF")) {
    fail_at(file, whole, 0, "UTF-16 text; save it as UTF-8");
  }
  const std::string_view text = skip_bom(whole);
  if (const auto at = find_invalid_utf8(text)) fail_at(file, text, *at, "invalid UTF-8");
  if (const auto at = text.find('\0'); at != std::string_view::npos)
    fail_at(file, text, at, "NUL byte; is this a text file?");
  refuse_foreign_keys(job, defaults);
  Reader reader(job, defaults);
  return kind == ".yaml" ? reader.read_yaml(text) : reader.read(text, kind == ".jsonl");
}

}  // namespace trireme
