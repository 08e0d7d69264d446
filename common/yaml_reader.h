#pragma once
// Strict YAML for job files and prompts: a tree of maps, lists and scalars in which every value knows its place. Any
// thread. Refused with ConfigError: more than 1 MiB (of a job file), invalid UTF-8, NUL, anchors, aliases, tags, merge
// keys, duplicate keys, several documents, nesting deeper than 16, more than 1000 entries in a map. Scalars keep the
// text as written; what it means is decided by who reads it, so that `no` is a fine file name and `010` is never eight.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trireme {

struct YamlNode {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text;                                       // of a scalar
  bool quoted = false;                                    // "8" is text, never a number
  std::string place;                                      // "job.yaml:3:11", or "--set a.b=c"
  std::string path;                                       // "sampling.width"; empty for the root
  std::vector<std::pair<std::string, YamlNode>> entries;  // of a map, in file order; of a list, with empty keys

  const YamlNode* find(std::string_view key) const;  // nullptr when absent
  /// Throws ConfigError "place: path: fact".
  [[noreturn]] void fail(const std::string& fact) const;
  bool is_plain(std::string_view word) const { return kind == Kind::scalar && !quoted && text == word; }
};

/// What a file may be; the defaults are a job file's.
struct YamlLimits {
  std::size_t bytes = 1 << 20, list_entries = 1000;
  const char* what = "job file";
};
YamlNode parse_yaml(std::string_view text, const std::string& source, const YamlLimits& limits = {});
/// Throws ConfigError(input_missing) when there is no such file.
YamlNode read_yaml(const std::filesystem::path& file);

/// Sets what "a.b=c" says: everything behind the first '=' is the value, a plain scalar as written ("" = empty text).
/// Throws ConfigError(usage) when it has no such form.
void apply_override(YamlNode& root, const std::string& assignment);

/// A range of numbers; `above_min`: the smallest is not itself allowed.
template <class Number>
struct Range {
  Number min, max;
  bool above_min = false;
};

/// Decimal digits, no leading zero, unquoted; nothing wraps or rounds.
std::int64_t read_int(const YamlNode& node, Range<std::int64_t> range);
std::uint64_t read_uint64(const YamlNode& node);
/// Decimal, finite, unquoted: 1, 0.5, .5, 1e-3.
double read_double(const YamlNode& node, Range<double> range);
/// `true` or `false`, nothing else.
bool read_bool(const YamlNode& node);
/// A scalar's text; a missing value is refused, "" is not.
std::string read_text(const YamlNode& node);

/// Throws for entries outside the list, with "did you mean".
void refuse_unknown(const YamlNode& map, const std::vector<std::string_view>& known);

}  // namespace trireme
