#include "common/tokenizer/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "common/errors.h"
#include "common/utf8.h"

namespace trireme {
namespace {

/// Characters that stay as they are, and over which nothing combines. Those that Unicode 10 and later made combining or
/// composable: the reference normalises by Unicode 9. And U+11A7, no trailing consonant, which utf8proc 2.8 swallows
/// behind a Hangul syllable.
struct Range {
  std::int32_t first, last;
};
constexpr std::array<Range, 61> kInert{
    {{0x5C8, 0x5C9},     {0x7FD, 0x7FD},     {0x897, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},
     {0xC3C, 0xC3C},     {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x11A7, 0x11A7},   {0x1715, 0x1715},
     {0x1ABF, 0x1AF0},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},   {0x105C9, 0x105C9}, {0x105D2, 0x105D2},
     {0x105DA, 0x105DA}, {0x105E4, 0x105E4}, {0x10D24, 0x10D27}, {0x10D69, 0x10D6D}, {0x10EAB, 0x10EAC},
     {0x10ECB, 0x10ECF}, {0x10EF0, 0x10EFB}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85},
     {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x11382, 0x11391}, {0x113B8, 0x113C9}, {0x113CE, 0x113D0},
     {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943},
     {0x119E0, 0x119E0}, {0x11A34, 0x11A34}, {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42},
     {0x11D44, 0x11D45}, {0x11D97, 0x11D97}, {0x11F41, 0x11F42}, {0x1611E, 0x16129}, {0x1612F, 0x1612F},
     {0x16D63, 0x16D6A}, {0x16FF0, 0x16FF1}, {0x1D127, 0x1D128}, {0x1D250, 0x1D252}, {0x1D25F, 0x1D25F},
     {0x1D280, 0x1D281}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF},
     {0x1E4EC, 0x1E4EF}, {0x1E5EE, 0x1E5EF}, {0x1E6E3, 0x1E6E3}, {0x1E6E6, 0x1E6E6}, {0x1E6EE, 0x1E6EF},
     {0x1E6F5, 0x1E6F5}}};

bool is_inert(utf8proc_int32_t value) {
  const auto* range = std::lower_bound(kInert.begin(), kInert.end(), value,
                                       [](const Range& r, utf8proc_int32_t v) { return r.last < v; });
  return range != kInert.end() && range->first <= value;
}

/// No character below U+0300 changes or combines, unless one above it follows.
bool is_surely_composed(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char byte) { return static_cast<unsigned char>(byte) < 0xCC; });
}

std::vector<utf8proc_int32_t> decompose(std::string_view text) {
  std::vector<utf8proc_int32_t> result;
  result.reserve(text.size());
  std::array<utf8proc_int32_t, 32> parts;
  for (std::size_t at = 0; at < text.size();) {
    const auto value = static_cast<utf8proc_int32_t>(next_code_point(text, at));
    if (is_inert(value)) {
      result.push_back(value);
      continue;
    }
    int boundary = 0;
    const auto count = utf8proc_decompose_char(value, parts.data(), parts.size(), UTF8PROC_DECOMPOSE, &boundary);
    if (count < 0) throw Error(ExitCode::internal, std::string("utf8proc: ") + utf8proc_errmsg(count));
    result.insert(result.end(), parts.begin(), parts.begin() + count);
  }
  return result;
}

int combining_class(utf8proc_int32_t value) { return utf8proc_get_property(value)->combining_class; }

/// Canonical order. utf8proc's own is quadratic in a run of combining marks.
void order_marks(std::span<utf8proc_int32_t> text) {
  const auto combines = [](utf8proc_int32_t value) { return combining_class(value) != 0; };
  for (auto begin = text.begin(); begin != text.end();) {
    begin = std::find_if(begin, text.end(), combines);
    const auto end = std::find_if_not(begin, text.end(), combines);
    std::stable_sort(begin, end,
                     [](utf8proc_int32_t a, utf8proc_int32_t b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

void append_composed(std::string& to, std::span<utf8proc_int32_t> points) {
  order_marks(points);
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const auto count = utf8proc_normalize_utf32(points.data(), static_cast<utf8proc_ssize_t>(points.size()), options);
  if (count < 0) throw Error(ExitCode::internal, std::string("utf8proc: ") + utf8proc_errmsg(count));
  for (const auto point : points.first(static_cast<std::size_t>(count))) {
    append_code_point(to, static_cast<char32_t>(point));
  }
}

}  // namespace

std::string Nfc::normalize(std::string_view text) const {
  if (is_surely_composed(text)) return std::string(text);
  std::vector<utf8proc_int32_t> points = decompose(text);
  std::string result;
  result.reserve(text.size());
  for (auto begin = points.begin(); begin != points.end();) {
    const auto end = std::find_if(begin, points.end(), is_inert);
    append_composed(result, {begin, end});
    begin = end;
    if (begin != points.end()) append_code_point(result, static_cast<char32_t>(*begin++));
  }
  return result;
}

}  // namespace trireme
