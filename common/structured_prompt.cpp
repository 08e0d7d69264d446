#include "common/structured_prompt.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "common/errors.h"
#include "common/utf8.h"

namespace trireme {
namespace {

using nlohmann::ordered_json;

bool is_tag_name(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
  };
  const auto allowed = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.'; };
  return !name.empty() && letter(name[0]) && std::all_of(name.begin(), name.end(), allowed);
}

/// Walks the object; `path_` names the value at hand.
class Renderer {
 public:
  explicit Renderer(std::string place) : path_(std::move(place)) {}

  std::string object(const ordered_json& value) {
    std::string text;
    for (const auto& [key, inner] : value.items()) {
      const std::size_t before = path_.size();
      path_ += "." + printable(key, 60);
      if (!is_tag_name(key)) fail("a tag is made of letters, digits, _ - and ., and starts with a letter or _");
      text += entry(key, inner);
      path_.resize(before);
    }
    return text;
  }

 private:
  [[noreturn]] void fail(const std::string& fact) const { throw Error(ExitCode::bad_data, path_ + ": " + fact); }

  static std::string tagged(const std::string& name, const std::string& inside) {
    return "<" + name + ">" + inside + "</" + name + ">";
  }

  std::string entry(const std::string& key, const ordered_json& value) {
    if (value.is_object()) return tagged(key, object(value));
    if (!value.is_array()) return tagged(key, scalar(value));
    const bool objects = !value.empty() && value.front().is_object();
    std::string text;
    for (const ordered_json& one : value) {
      if (one.is_object() != objects || one.is_array()) fail("a list holds either texts or objects");
      text += objects ? tagged(key, object(one)) : (&one == &value.front() ? "" : ", ") + scalar(one);
    }
    return objects ? text : tagged(key, text);
  }

  std::string scalar(const ordered_json& value) const {
    if (value.is_null()) fail("no value; write \"\" for an empty tag");
    return value.is_string() ? value.get<std::string>() : value.dump();
  }

  std::string path_;
};

/// A map or list with all scalars as text.
ordered_json texts_of(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null: return nullptr;
    case YamlNode::Kind::scalar: return node.text;
    case YamlNode::Kind::list: {
      ordered_json list = ordered_json::array();
      for (const auto& [key, inner] : node.entries) list.push_back(texts_of(inner));
      return list;
    }
    case YamlNode::Kind::map: break;
  }
  ordered_json map = ordered_json::object();
  for (const auto& [key, inner] : node.entries) map[key] = texts_of(inner);
  return map;
}

/// As JSON may write it: no leading zero, no infinity.
template <class Number>
bool is_number(std::string_view text, Number& number) {
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.empty() || digits[0] > '9' || (digits.size() > 1 && digits[0] == '0' && digits[1] != '.')) return false;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return stop == text.data() + text.size() && error == std::errc();
}

/// What a plain scalar right under an entry means.
ordered_json value_of(const std::string& key, const YamlNode& node) {
  constexpr std::array<std::string_view, 5> kTexts{"id", "prompt", "negative_prompt", "system_prompt", "system"};
  const bool text = std::find(kTexts.begin(), kTexts.end(), key) != kTexts.end();
  if (text || node.kind != YamlNode::Kind::scalar || node.quoted) return texts_of(node);
  if (node.is_plain("true") || node.is_plain("false")) return node.text == "true";
  std::uint64_t natural = 0;
  double number = 0;
  if (is_number(node.text, natural)) return natural;
  if (is_number(node.text, number)) return number;
  return node.text;
}

std::size_t line_of(const YamlNode& node, const std::string& source) {
  return std::stoull(node.place.substr(source.size() + 1));  // "prompts.yaml:3:11"
}

YamlNode parse(std::string_view text, const std::string& source) {
  constexpr YamlLimits kLimits{.bytes = 64u << 20, .list_entries = 1'000'000, .what = "list of prompts"};
  try {
    return parse_yaml(text, source, kLimits);
  } catch (const ConfigError& error) {
    throw Error(ExitCode::bad_data, error.what());
  }
}

}  // namespace

std::string render_prompt(const ordered_json& value, const std::string& place) { return Renderer(place).object(value); }

void render_prompts(std::string_view line, nlohmann::json& value, const std::string& place) {
  if (!value.is_object()) return;
  for (const char* key : {"prompt", "negative_prompt"}) {
    const auto found = value.find(key);
    if (found == value.end() || !found->is_object()) continue;
    *found = render_prompt(ordered_json::parse(skip_bom(line)).at(key), place + ": " + key);
  }
}

std::vector<YamlPrompt> read_yaml_prompts(std::string_view text, const std::string& source) {
  const YamlNode root = parse(text, source);
  if (root.kind == YamlNode::Kind::null) return {};
  if (root.kind != YamlNode::Kind::list) {
    throw Error(ExitCode::bad_data, root.place + ": not a list of prompts; start each with \"- prompt:\"");
  }
  std::vector<YamlPrompt> prompts;
  for (const auto& [none, node] : root.entries) {
    if (node.kind != YamlNode::Kind::map) {
      throw Error(ExitCode::bad_data, node.place + ": not a map with a prompt in it; write \"- prompt: ...\"");
    }
    ordered_json line = ordered_json::object();
    for (const auto& [key, value] : node.entries) line[key] = value_of(key, value);
    prompts.push_back({line_of(node, source), line.dump()});
  }
  return prompts;
}

}  // namespace trireme
