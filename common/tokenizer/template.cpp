#include "common/tokenizer/template.h"

#include <string>

#include "common/utf8.h"

namespace trireme {
namespace {

constexpr std::int64_t kMaxId = (1 << 24) - 1;

/// {"single": [{"SpecialToken": {"id", "type_id"}}, {"Sequence": {"id": "A", "type_id"}}], ...}
TokenTemplate template_processing(const JsonObject& json) {
  json.refuse_unknown({"type", "single", "pair", "special_tokens"});
  const JsonObject tokens = json.get_object("special_tokens");
  const nlohmann::json& parts = json.at("single");
  if (!parts.is_array()) json.fail("single", "not a list");
  TokenTemplate result;
  bool text_seen = false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const JsonObject part(parts[i], json.place() + ": single[" + std::to_string(i) + "]");
    part.refuse_unknown({"SpecialToken", "Sequence"});
    if (part.has("Sequence")) {
      if (text_seen || part.get_object("Sequence").get_string("id") != "A") part.fail("Sequence", "wanted A once");
      text_seen = true;
      continue;
    }
    const JsonObject token = tokens.get_object(part.get_object("SpecialToken").get_string("id"));
    for (const std::int64_t id : token.get_ints("ids", 0, kMaxId)) {
      (text_seen ? result.after : result.before).push_back(static_cast<int>(id));
    }
  }
  if (!text_seen) json.fail("single", "has no place for the text");
  return result;
}

/// Each of the processors works on what the one before it made.
TokenTemplate sequence(const JsonObject& json) {
  json.refuse_unknown({"type", "processors"});
  const nlohmann::json& list = json.at("processors");
  if (!list.is_array()) json.fail("processors", "not a list");
  TokenTemplate result;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const TokenTemplate outer =
        read_template(JsonObject(list[i], json.place() + ": processors[" + std::to_string(i) + "]"));
    result.before.insert(result.before.begin(), outer.before.begin(), outer.before.end());
    result.after.insert(result.after.end(), outer.after.begin(), outer.after.end());
  }
  return result;
}

}  // namespace

TokenTemplate read_template(const JsonObject& json) {
  const std::string type = json.get_string("type");
  if (type == "TemplateProcessing") return template_processing(json);
  if (type == "Sequence") return sequence(json);
  if (type == "ByteLevel") {
    json.refuse_unknown({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    return {};
  }
  json.fail("type", "'" + printable(type) + "' is not supported; known here: TemplateProcessing, Sequence, ByteLevel");
}

}  // namespace trireme
