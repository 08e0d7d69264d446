#pragma once
// What tokenizer.json does to the characters of a text before it is cut into pieces.

#include <memory>
#include <string>
#include <string_view>

#include "common/json.h"

namespace trireme {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  /// The text is well-formed UTF-8, before and after.
  virtual std::string normalize(std::string_view text) const = 0;
};

/// Throws Error(bad_data) for a kind that is not in the list.
std::unique_ptr<Normalizer> make_normalizer(const JsonObject& json);

}  // namespace trireme
