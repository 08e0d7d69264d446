#pragma once
// One event, one line: a short phrase, then key=value. Goes to this rank's log file and, from `warning` up (rank 0:
// from `info` up), to stderr. Any thread may log. This is the only file that knows spdlog: LibTorch ships its own fmt,
// so a file that sees torch's headers can't include it.

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace trireme::log {

enum class Level { debug, info, warning, error };

/// One key=value; values with blanks, quotes or control characters are quoted and escaped.
struct Field {
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  Field(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  Field(std::string_view k, double v);
  template <class Integer>
  requires std::is_integral_v<Integer> Field(std::string_view k, Integer v) : key(k), value(std::to_string(v)) {}
  std::string_view key;
  std::string value;
};
using Fields = std::initializer_list<Field>;

/// Before this call lines go to stderr only. `file` empty: no file. Lines in the file carry a UTC time stamp, those on
/// stderr "rank 3: ". Throws Error(cannot_create) when the file can't be opened.
void open(int rank, const std::string& file, Level file_level, Level stderr_level);
void flush();

void debug(std::string_view phrase, Fields fields = {});
void info(std::string_view phrase, Fields fields = {});
void warning(std::string_view phrase, Fields fields = {});
void error(std::string_view phrase, Fields fields = {});

/// The text of a line without time stamp; exposed for tests.
std::string format(std::string_view phrase, Fields fields);

}  // namespace trireme::log
