#pragma once
// Strict JSON from untrusted files: config.json, tokenizer.json, prompt lines, journals. Any thread. Every failure is
// an Error(bad_data) with the place: "file:line:column: fact" for text, "file: key: fact" for values.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

/// Refused: duplicate keys, invalid UTF-8, lone surrogates, raw NUL bytes, comments, trailing text, nesting deeper than
/// 100, numbers no double can hold. A leading BOM is skipped. Integers outside 64 bits become doubles, which `get_int`
/// refuses. The caller caps the size. `first_line` is the number of the text's first line in messages.
nlohmann::json parse_json(std::string_view text, const std::string& source, std::size_t first_line = 1);

/// One object of a parsed file, read key by key. Borrows the value. Getters without a fallback want the key; the `_or`
/// forms take a missing key or null as the fallback. Nothing wraps, truncates or converts between kinds.
class JsonObject {
 public:
  /// `place` starts messages: "config.json", or "tokenizer.json: model". Throws when the value is no object.
  JsonObject(const nlohmann::json& value, std::string place);

  bool has(const std::string& key) const;  // present and not null
  /// Throws when the key is missing.
  const nlohmann::json& at(const std::string& key) const;

  std::int64_t get_int(const std::string& key, std::int64_t min, std::int64_t max) const;
  std::int64_t get_int_or(const std::string& key, std::int64_t fallback, std::int64_t min, std::int64_t max) const;
  /// 0 to 2^64-1, a number or a string of decimal digits (JSON writers lose digits above 2^53).
  std::uint64_t get_uint64(const std::string& key) const;
  double get_double(const std::string& key, double min, double max) const;  // integers are fine too
  double get_double_or(const std::string& key, double fallback, double min, double max) const;
  bool get_bool(const std::string& key) const;
  bool get_bool_or(const std::string& key, bool fallback) const;
  std::string get_string(const std::string& key) const;
  std::string get_string_or(const std::string& key, const std::string& fallback) const;
  /// A list of at most `max_count` integers, each in [min, max].
  std::vector<std::int64_t> get_ints(const std::string& key, std::int64_t min, std::int64_t max,
                                     std::size_t max_count = 64) const;
  JsonObject get_object(const std::string& key) const;

  /// Throws for any key outside the list, with "did you mean".
  void refuse_unknown(const std::vector<std::string_view>& known) const;

  /// The error for a key, thrown by the caller: "place: key: fact".
  [[noreturn]] void fail(const std::string& key, const std::string& fact) const;
  const nlohmann::json& value() const { return *value_; }
  const std::string& place() const { return place_; }

 private:
  const nlohmann::json* value_;
  std::string place_;
};

/// The number in a string of decimal digits, nothing else: no sign, blank or overflow.
bool parse_uint64(std::string_view digits, std::uint64_t& number);

}  // namespace trireme
