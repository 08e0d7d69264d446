#include "common/utf8.h"

#include <algorithm>
#include <cstdio>

namespace trireme {
namespace {

struct Sequence {
  std::size_t length;  // bytes; of a malformed one those that belong together, at least one
  bool well_formed;
};

/// The sequence that starts the text. Unicode 15, table 3-7; malformed ones end as U+FFFD substitution wants it.
Sequence first_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const std::size_t wanted = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  std::size_t length = 1;
  for (; length < wanted && length < text.size() && byte(length) >= low && byte(length) <= high; ++length) {
    low = 0x80;
    high = 0xBF;
  }
  return {length, length == wanted};
}

bool is_control(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7F;
  return sequence.size() == 2 && first == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0;
}

}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const Sequence sequence = first_sequence(text.substr(i));
    if (!sequence.well_formed) return i;
    i += sequence.length;
  }
  return std::nullopt;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const Sequence sequence = first_sequence(text.substr(i));
    out += sequence.well_formed ? text.substr(i, sequence.length) : "\xEF\xBF\xBD";
    i += sequence.length;
  }
  return out;
}

char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&]() -> char32_t { return static_cast<unsigned char>(text[at++]); };
  const char32_t lead = byte();
  if (lead < 0x80) return lead;
  char32_t value = lead < 0xE0 ? lead & 0x1F : lead < 0xF0 ? lead & 0x0F : lead & 0x07;
  for (int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3; more > 0; --more) value = value << 6 | (byte() & 0x3F);
  return value;
}

void append_code_point(std::string& text, char32_t value) {
  const auto add = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (value < 0x80) return add(value);
  if (value < 0x800) {
    add(0xC0 | value >> 6);
  } else if (value < 0x10000) {
    add(0xE0 | value >> 12);
    add(0x80 | (value >> 6 & 0x3F));
  } else {
    add(0xF0 | value >> 18);
    add(0x80 | (value >> 12 & 0x3F));
    add(0x80 | (value >> 6 & 0x3F));
  }
  add(0x80 | (value & 0x3F));
}

std::string_view skip_bom(std::string_view text) { return text.substr(0, 3) == "\xEF\xBB\xBF" ? text.substr(3) : text; }

std::string printable(std::string_view text, std::size_t limit) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const Sequence sequence = first_sequence(text.substr(i));
    const std::string_view piece = text.substr(i, sequence.length);
    std::string shown(piece);
    if (!sequence.well_formed || is_control(piece)) {
      shown.clear();
      for (const unsigned char byte : piece) {
        char hex[8];
        std::snprintf(hex, sizeof hex, "\\x%02x", byte);
        shown += hex;
      }
    }
    if (out.size() + shown.size() > limit) return out + "...";
    out += shown;
    i += piece.size();
  }
  return out;
}

TextPosition position_of(std::string_view text, std::size_t offset) {
  TextPosition position;
  for (const unsigned char byte : text.substr(0, std::min(offset, text.size()))) {
    if (byte == '\n') {
      ++position.line;
      position.column = 1;
    } else if ((byte & 0xC0) != 0x80) {
      ++position.column;
    }
  }
  return position;
}

}  // namespace trireme
