#pragma once
// What tokenizer.json searches for: {"String": "..."} or {"Regex": "..."}.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"
#include "common/tokenizer/regex.h"

namespace trireme {

class Pattern {
 public:
  /// The object behind the key "pattern". Throws Error(bad_data).
  explicit Pattern(const JsonObject& json);
  explicit Pattern(std::string literal) : literal_(std::move(literal)) {}

  std::vector<Regex::Match> find_all(std::string_view text) const;
  std::string replace_all(std::string_view text, std::string_view content) const;

 private:
  std::string literal_;
  std::unique_ptr<Regex> regex_;
};

}  // namespace trireme
