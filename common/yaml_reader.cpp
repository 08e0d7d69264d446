#include "common/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "common/did_you_mean.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/utf8.h"

namespace trireme {
namespace {

constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kMaxEntries = 1000;  // of a map; looking for duplicates costs their square

/// Builds the tree from the parser's events: the library's own nodes share aliases and forget duplicates.
class Builder : public YAML::EventHandler {
 public:
  Builder(std::string source, std::size_t list_entries) : source_(std::move(source)), list_entries_(list_entries) {}

  YamlNode root;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) fail(mark, "a second document; a file holds one");
  }
  void OnDocumentEnd() override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { fail(mark, "aliases (*name) are not allowed"); }
  void OnAnchor(const YAML::Mark& mark, const std::string&) override { fail(mark, "anchors (&name) are not allowed"); }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check(mark, "?", anchor);
    if (wants_key()) fail(mark, "a key is missing");
    add(mark, YamlNode::Kind::null);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check(mark, tag, anchor);
    if (wants_key()) return start_entry(mark, value);
    YamlNode& node = add(mark, YamlNode::Kind::scalar);
    node.text = value;
    node.quoted = tag == "!";
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::list);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::map);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  std::string place(const YAML::Mark& mark) const {
    return source_ + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
  }

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& fact) const {
    throw ConfigError(place(mark) + ": " + fact);
  }

  void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != 0) fail(mark, "anchors (&name) are not allowed");
    if (!tag.empty() && tag != "?" && tag != "!") fail(mark, "tags (" + printable(tag) + ") are not allowed");
  }

  bool wants_key() const {
    if (open_.empty() || open_.back()->kind != YamlNode::Kind::map) return false;
    return !has_key_;
  }

  void start_entry(const YAML::Mark& mark, const std::string& key) {
    YamlNode& map = *open_.back();
    if (key == "<<") fail(mark, "merge keys (<<) are not allowed");
    if (map.find(key) != nullptr) fail(mark, "duplicate key '" + printable(key) + "'");
    map.entries.emplace_back(key, YamlNode());
    has_key_ = true;
  }

  YamlNode& add(const YAML::Mark& mark, YamlNode::Kind kind) {
    YamlNode* node = &root;
    if (!open_.empty()) {
      YamlNode& parent = *open_.back();
      const std::size_t most = parent.kind == YamlNode::Kind::list ? list_entries_ : kMaxEntries;
      if (parent.entries.size() > most) fail(mark, "more than " + std::to_string(most) + " entries");
      if (parent.kind == YamlNode::Kind::list) parent.entries.emplace_back();
      node = &parent.entries.back().second;
      const std::string step = parent.kind == YamlNode::Kind::list
                                   ? "[" + std::to_string(parent.entries.size() - 1) + "]"
                                   : (parent.path.empty() ? "" : ".") + printable(parent.entries.back().first);
      node->path = parent.path + step;
    }
    has_key_ = false;
    node->kind = kind;
    node->place = place(mark);
    return *node;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlNode::Kind kind) {
    check(mark, tag, anchor);
    if (wants_key()) fail(mark, "a key must be plain text");
    if (open_.size() == kMaxDepth) fail(mark, "nested deeper than " + std::to_string(kMaxDepth) + " levels");
    open_.push_back(&add(mark, kind));
  }

  const std::string source_;
  const std::size_t list_entries_;
  std::vector<YamlNode*> open_;  // an open container never moves: its siblings are added after it is closed
  bool has_key_ = false;         // the innermost map has a key that waits for its value
  int documents_ = 0;
};

[[noreturn]] void fail_at(std::string_view text, std::size_t offset, const std::string& source,
                          const std::string& fact) {
  const TextPosition position = position_of(text, offset);
  throw ConfigError(source + ":" + std::to_string(position.line) + ":" + std::to_string(position.column) + ": " + fact);
}

std::string shown(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null: return "nothing";
    case YamlNode::Kind::list: return "a list";
    case YamlNode::Kind::map: return "a map";
    case YamlNode::Kind::scalar:
      return (node.quoted ? "\"" : "") + printable(node.text, 60) + (node.quoted ? "\"" : "");
  }
  return "";
}

std::string shown(double number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

template <class Number>
void check_range(const YamlNode& node, Number number, Range<Number> range) {
  if (number >= range.min && number <= range.max && !(range.above_min && number == range.min)) return;
  std::string limits;
  if constexpr (std::is_integral_v<Number>) {
    limits = std::to_string(range.min) + " to " + std::to_string(range.max);
  } else {
    limits = (range.above_min ? "above " : "") + shown(range.min) + " to " + shown(range.max);
  }
  node.fail(node.text + " is out of range; allowed: " + limits);
}

bool has_leading_zero(std::string_view text) {
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

/// The whole of a plain scalar as a number; from_chars takes no blanks, plus signs or hexadecimal.
template <class Number>
bool to_number(const YamlNode& node, Number& number) {
  if (node.kind != YamlNode::Kind::scalar || node.quoted || has_leading_zero(node.text)) return false;
  const char* const end = node.text.data() + node.text.size();
  const auto [stop, error] = std::from_chars(node.text.data(), end, number);
  return stop == end && error == std::errc();
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
  return found == entries.end() ? nullptr : &found->second;
}

void YamlNode::fail(const std::string& fact) const {
  throw ConfigError(place + ": " + (path.empty() ? "" : path + ": ") + fact);
}

YamlNode parse_yaml(std::string_view whole, const std::string& source, const YamlLimits& limits) {
  const std::string_view text = skip_bom(whole);
  if (text.size() > limits.bytes) {
    throw ConfigError(source + ": larger than " + std::to_string(limits.bytes >> 20) + " MiB, which no " + limits.what +
                      " is");
  }
  if (const auto at = text.find('\0'); at != std::string_view::npos) fail_at(text, at, source, "NUL byte");
  if (const auto at = find_invalid_utf8(text)) fail_at(text, *at, source, "invalid UTF-8");
  std::istringstream stream{std::string(text)};
  Builder builder(source, limits.list_entries);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    throw ConfigError(source + ":" + std::to_string(error.mark.line + 1) + ":" + std::to_string(error.mark.column + 1) +
                      ": " + printable(error.msg, 200));
  }
  if (builder.root.place.empty()) builder.root.place = source + ":1:1";
  return std::move(builder.root);
}

YamlNode read_yaml(const std::filesystem::path& file) {
  std::string text;
  try {
    text = read_file(file, YamlLimits{}.bytes);
  } catch (const Error& error) {
    throw ConfigError(error.what(), error.code() == ExitCode::bad_data ? ExitCode::config : error.code());
  }
  return parse_yaml(text, file.string());
}

void apply_override(YamlNode& root, const std::string& assignment) {
  const std::string place = "--set " + printable(assignment, 120);
  const auto equals = assignment.find('=');
  if (equals == std::string::npos || find_invalid_utf8(assignment)) {
    throw ConfigError(place + ": not of the form section.key=value", ExitCode::usage);
  }
  YamlNode* node = &root;
  for (std::size_t start = 0; start <= equals;) {
    const std::size_t stop = std::min(assignment.find('.', start), equals);
    const std::string key = assignment.substr(start, stop - start);
    if (key.empty()) throw ConfigError(place + ": not of the form section.key=value", ExitCode::usage);
    if (node->kind != YamlNode::Kind::map) {
      *node = YamlNode{.kind = YamlNode::Kind::map, .place = node->place, .path = node->path};
    }
    auto entry = std::find_if(node->entries.begin(), node->entries.end(), [&](auto& e) { return e.first == key; });
    if (entry == node->entries.end()) {
      const std::string path = node->path + (node->path.empty() ? "" : ".") + printable(key);
      node->entries.emplace_back(key, YamlNode{.place = place, .path = path});
      entry = std::prev(node->entries.end());
    }
    node = &entry->second;
    start = stop + 1;
  }
  std::string value = assignment.substr(equals + 1);
  *node = YamlNode{.kind = YamlNode::Kind::scalar, .text = std::move(value), .place = place, .path = node->path};
}

std::int64_t read_int(const YamlNode& node, Range<std::int64_t> range) {
  std::int64_t number = 0;
  if (!to_number(node, number)) {
    node.fail("not an integer but " + shown(node) + "; allowed: " + std::to_string(range.min) + " to " +
              std::to_string(range.max));
  }
  check_range(node, number, range);
  return number;
}

std::uint64_t read_uint64(const YamlNode& node) {
  std::uint64_t number = 0;
  if (!to_number(node, number)) node.fail("not an integer of 0 to 18446744073709551615 but " + shown(node));
  return number;
}

double read_double(const YamlNode& node, Range<double> range) {
  double number = 0;
  if (!to_number(node, number) || !std::isfinite(number)) node.fail("not a number but " + shown(node));
  check_range(node, number, range);
  return number + 0.0;  // -0 and 0 are one value
}

bool read_bool(const YamlNode& node) {
  if (node.is_plain("true")) return true;
  if (node.is_plain("false")) return false;
  node.fail("not true or false but " + shown(node));
}

std::string read_text(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::null) node.fail("no value; write \"\" for empty text");
  if (node.kind != YamlNode::Kind::scalar) node.fail("not text but " + shown(node));
  return node.text;
}

void refuse_unknown(const YamlNode& map, const std::vector<std::string_view>& known) {
  for (const auto& [key, node] : map.entries) {
    if (std::find(known.begin(), known.end(), key) == known.end()) node.fail("unknown key" + did_you_mean(key, known));
  }
}

}  // namespace trireme
