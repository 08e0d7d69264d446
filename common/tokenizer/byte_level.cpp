#include "common/tokenizer/byte_level.h"

#include <array>

#include "common/utf8.h"

namespace trireme {
namespace {

constexpr char32_t kEnd = 0x144;  // behind the last stand-in

constexpr std::array<char32_t, 256> make_characters() {
  std::array<char32_t, 256> characters{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    characters[byte] = printable ? byte : next++;
  }
  return characters;
}
constexpr std::array<char32_t, 256> kCharacters = make_characters();

constexpr std::array<int, kEnd> make_bytes() {
  std::array<int, kEnd> bytes{};
  bytes.fill(-1);
  for (int byte = 0; byte < 256; ++byte) bytes[kCharacters[byte]] = byte;
  return bytes;
}
constexpr std::array<int, kEnd> kBytes = make_bytes();

}  // namespace

void append_byte_characters(std::string& to, std::string_view bytes) {
  for (const unsigned char byte : bytes) append_code_point(to, kCharacters[byte]);
}

void append_token_bytes(std::string& to, std::string_view token) {
  const std::size_t before = to.size();
  for (std::size_t at = 0; at < token.size();) {
    const char32_t character = next_code_point(token, at);
    if (character >= kEnd || kBytes[character] < 0) {
      to.resize(before);
      to += token;
      return;
    }
    to += static_cast<char>(kBytes[character]);
  }
}

}  // namespace trireme
