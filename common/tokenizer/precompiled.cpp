#include "common/tokenizer/precompiled.h"

#include <utf8proc.h>

#include "common/utf8.h"

namespace trireme {
namespace {

constexpr std::size_t kLongestCluster = 5;  // bytes: longer ones are looked up character by character

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/// Nothing for text that is not base64 with its padding.
std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if ((count += 6) >= 8) bytes += static_cast<char>(bits >> (count -= 8));
  }
  return bytes;
}

std::uint32_t little_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// A unit of the trie: the byte that leads to it, the way to its children, and whether a value is among them.
std::uint32_t label_of(std::uint32_t unit) { return unit & (1u << 31 | 0xFF); }
std::uint32_t offset_of(std::uint32_t unit) { return unit >> 10 << ((unit & 1u << 9) >> 6); }
bool has_value(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
std::uint32_t value_of(std::uint32_t unit) { return unit & ((1u << 31) - 1); }

/// Marks of Unicode 15 and later, which utf8proc does not know, count as one that it knows.
char32_t known_mark(char32_t c) {
  const bool is_new = c == 0x897 || (c >= 0x1ACF && c <= 0x1ADD) || (c >= 0x1AE0 && c <= 0x1AEB);
  return is_new ? 0x300 : c;
}

/// End of the cluster of characters that a reader takes for one, which begins at `begin`.
std::size_t cluster_end(std::string_view text, std::size_t begin) {
  std::size_t end = begin;
  char32_t previous = known_mark(next_code_point(text, end));
  utf8proc_int32_t state = 0;
  while (end < text.size()) {
    std::size_t after = end;
    const char32_t next = known_mark(next_code_point(text, after));
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(previous), static_cast<utf8proc_int32_t>(next),
                                         &state)) {
      break;
    }
    previous = next;
    end = after;
  }
  return end;
}

}  // namespace

Precompiled::Precompiled(const JsonObject& json) {
  json.refuse_unknown({"type", "precompiled_charsmap"});
  const char* key = "precompiled_charsmap";
  const std::optional<std::string> bytes = decode_base64(json.get_string(key));
  if (!bytes) json.fail(key, "not base64");
  if (bytes->empty()) return;  // replaces nothing
  const std::size_t trie_bytes = bytes->size() < 4 ? 0 : little_endian(*bytes);
  if (trie_bytes == 0 || trie_bytes % 4 != 0 || trie_bytes > bytes->size() - 4) json.fail(key, "damaged: no trie");
  for (std::size_t at = 4; at < 4 + trie_bytes; at += 4) {
    trie_.push_back(little_endian(std::string_view(*bytes).substr(at, 4)));
  }
  replacements_ = bytes->substr(4 + trie_bytes);
  if (find_invalid_utf8(replacements_)) json.fail(key, "damaged: the replacements are not UTF-8");
}

/// That of the shortest beginning of `characters` that the trie knows; what follows it there is lost.
std::optional<std::string_view> Precompiled::replacement(std::string_view characters) const {
  if (trie_.empty()) return std::nullopt;
  std::size_t node = offset_of(trie_[0]);
  for (const char c : characters) {
    const auto byte = static_cast<unsigned char>(c);
    node ^= byte;
    if (byte == 0 || node >= trie_.size() || label_of(trie_[node]) != byte) return std::nullopt;
    const std::uint32_t unit = trie_[node];
    node ^= offset_of(unit);
    if (!has_value(unit)) continue;
    const std::size_t begin = node < trie_.size() ? value_of(trie_[node]) : replacements_.size();
    if (begin >= replacements_.size() || (static_cast<unsigned char>(replacements_[begin]) & 0xC0) == 0x80) {
      return std::nullopt;
    }
    const std::string_view rest = std::string_view(replacements_).substr(begin);
    return rest.substr(0, rest.find('\0'));
  }
  return std::nullopt;
}

std::string Precompiled::normalize(std::string_view text) const {
  std::string result;
  result.reserve(text.size());
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = cluster_end(text, begin);
    const std::string_view cluster = text.substr(begin, end - begin);
    begin = end;
    if (cluster.size() <= kLongestCluster) {
      if (const auto whole = replacement(cluster)) {
        result += *whole;
        continue;
      }
    }
    for (std::size_t at = 0; at < cluster.size();) {
      const std::size_t start = at;
      next_code_point(cluster, at);
      const std::string_view character = cluster.substr(start, at - start);
      result += replacement(character).value_or(character);
    }
  }
  return result;
}

}  // namespace trireme
