#include "common/tokenizer/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

#include "common/errors.h"
#include "common/tokenizer/kind.h"
#include "common/utf8.h"

namespace trireme {
namespace {

bool starts_combining(utf8proc_int32_t value) { return utf8proc_get_property(value)->combining_class != 0; }

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
    int boundary = 0;
    const auto count = utf8proc_decompose_char(value, parts.data(), parts.size(), UTF8PROC_DECOMPOSE, &boundary);
    if (count < 0) throw Error(ExitCode::internal, std::string("utf8proc: ") + utf8proc_errmsg(count));
    result.insert(result.end(), parts.begin(), parts.begin() + count);
  }
  return result;
}

/// Canonical order. utf8proc's own is quadratic in a run of combining marks.
void order_marks(std::vector<utf8proc_int32_t>& text) {
  for (auto begin = text.begin(); begin != text.end();) {
    begin = std::find_if(begin, text.end(), starts_combining);
    const auto end = std::find_if_not(begin, text.end(), starts_combining);
    std::stable_sort(begin, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return utf8proc_get_property(a)->combining_class < utf8proc_get_property(b)->combining_class;
    });
    begin = end;
  }
}

class Nfc : public Normalizer {
 public:
  std::string normalize(std::string_view text) const override {
    if (is_surely_composed(text)) return std::string(text);
    std::vector<utf8proc_int32_t> points = decompose(text);
    order_marks(points);
    const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    const auto count = utf8proc_normalize_utf32(points.data(), static_cast<utf8proc_ssize_t>(points.size()), options);
    if (count < 0) throw Error(ExitCode::internal, std::string("utf8proc: ") + utf8proc_errmsg(count));
    std::string result;
    result.reserve(text.size());
    for (auto i = 0; i < count; ++i) append_code_point(result, static_cast<char32_t>(points[i]));
    return result;
  }
};

constexpr std::array kKinds{
    Kind<Normalizer>{"NFC",
                     [](const JsonObject& json) -> std::unique_ptr<Normalizer> {
                       json.refuse_unknown({"type"});
                       return std::make_unique<Nfc>();
                     }},
};

}  // namespace

std::unique_ptr<Normalizer> make_normalizer(const JsonObject& json) { return make_part(kKinds, json); }

}  // namespace trireme
