#pragma once
// tokenizer.json names its parts by kind ({"type": "NFC"}). Every part has one explicit list of the kinds that exist
// here.

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "common/json.h"
#include "common/utf8.h"

namespace trireme {

template <class Part>
struct Kind {
  std::string_view name;
  std::unique_ptr<Part> (*make)(const JsonObject& json);
};

template <class Part, std::size_t count>
std::unique_ptr<Part> make_part(const std::array<Kind<Part>, count>& kinds, const JsonObject& json) {
  const std::string type = json.get_string("type");
  std::string known;
  for (const Kind<Part>& kind : kinds) {
    if (kind.name == type) return kind.make(json);
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
  }
  json.fail("type", "'" + printable(type) + "' is not supported; known here: " + known);
}

}  // namespace trireme
