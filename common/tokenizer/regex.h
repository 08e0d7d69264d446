#pragma once
// The regular expressions of tokenizer.json, which are written for Oniguruma, on PCRE2. Only constructs that mean the
// same in both are accepted, so a pattern either splits as in the reference library or is refused.
// Immutable: any thread may search.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

class Regex {
 public:
  /// Throws Error(bad_data) that starts with `place`.
  Regex(std::string_view pattern, const std::string& place);

  struct Match {
    std::size_t begin, end;  // bytes
  };
  /// All matches from left to right, without overlap. The text is well-formed UTF-8. Throws ItemError when a text is
  /// beyond the limits of the matcher.
  std::vector<Match> find_all(std::string_view text) const;

 private:
  struct Free {
    void operator()(void* code) const;
  };
  std::unique_ptr<void, Free> code_;  // pcre2_code
};

/// The same pattern in PCRE2's words; exposed for tests.
std::string pcre2_pattern(std::string_view oniguruma, const std::string& place);

}  // namespace trireme
