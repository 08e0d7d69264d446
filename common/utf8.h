#pragma once
// UTF-8 as text files have it. Plain functions, any thread, nothing throws.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace trireme {

/// Offset of the first byte that is not well-formed UTF-8 (overlong forms, surrogates and values above U+10FFFF count
/// as malformed; NUL is fine), or nothing.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

/// Every malformed sequence becomes one U+FFFD, cut as Unicode recommends (and Rust and Python do).
std::string replace_invalid_utf8(std::string_view text);

/// The code point at byte `at` of well-formed text; moves `at` behind it.
char32_t next_code_point(std::string_view well_formed, std::size_t& at);
void append_code_point(std::string& text, char32_t value);

/// The text without a leading byte order mark (EF BB BF).
std::string_view skip_bom(std::string_view text);

/// For messages and terminals: control characters (C0, DEL, C1) and malformed bytes become \x1b, quotes are untouched,
/// and what is longer than `limit` bytes ends in "...".
std::string printable(std::string_view text, std::size_t limit = 80);

struct TextPosition {
  std::size_t line = 1, column = 1;  // both from 1; the column counts code points
};
/// Where byte `offset` of the text stands; past the end means the end.
TextPosition position_of(std::string_view text, std::size_t offset);

}  // namespace trireme
