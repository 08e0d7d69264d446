#pragma once
// Unicode's White_Space, which is what the reference trims and splits at. Texts are well-formed UTF-8.

#include <cstddef>
#include <string_view>

#include "common/utf8.h"

namespace trireme {

inline bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/// Where the white space that begins at byte `begin` ends.
inline std::size_t skip_white_space(std::string_view text, std::size_t begin) {
  while (begin < text.size()) {
    std::size_t at = begin;
    if (!is_white_space(next_code_point(text, at))) break;
    begin = at;
  }
  return begin;
}

inline std::size_t start_of_last_character(std::string_view text, std::size_t end) {
  do --end;
  while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  return end;
}

/// Where the white space that ends at byte `end` begins; not before `limit`.
inline std::size_t skip_white_space_back(std::string_view text, std::size_t end, std::size_t limit) {
  while (end > limit) {
    const std::size_t begin = start_of_last_character(text, end);
    std::size_t at = begin;
    if (!is_white_space(next_code_point(text, at))) break;
    end = begin;
  }
  return end;
}

}  // namespace trireme
