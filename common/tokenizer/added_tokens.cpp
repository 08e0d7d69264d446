#include "common/tokenizer/added_tokens.h"

#include <utf8proc.h>

#include <algorithm>

#include "common/tokenizer/white_space.h"
#include "common/utf8.h"

namespace trireme {
namespace {

constexpr int kMaxId = (1 << 24) - 1;

/// Word characters beside those of utf8proc's categories: joiners, circled letters, and what Unicode 15.1 and 16 added.
struct Range {
  char32_t first, last;
};
constexpr std::array<Range, 37> kMoreWordCharacters{
    {{0x897, 0x897},     {0x1C89, 0x1C8A},   {0x200C, 0x200D},   {0x24B6, 0x24E9},   {0xA7CB, 0xA7CD},
     {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3}, {0x10D40, 0x10D65}, {0x10D69, 0x10D6D}, {0x10D6F, 0x10D85},
     {0x10EC2, 0x10EC4}, {0x10EFC, 0x10EFC}, {0x11380, 0x11389}, {0x1138B, 0x1138B}, {0x1138E, 0x1138E},
     {0x11390, 0x113B5}, {0x113B7, 0x113C0}, {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113CA},
     {0x113CC, 0x113D3}, {0x113E1, 0x113E2}, {0x116D0, 0x116E3}, {0x11BC0, 0x11BE0}, {0x11BF0, 0x11BF9},
     {0x11F5A, 0x11F5A}, {0x13460, 0x143FA}, {0x16100, 0x16139}, {0x16D40, 0x16D6C}, {0x16D70, 0x16D79},
     {0x18CFF, 0x18CFF}, {0x1CCF0, 0x1CCF9}, {0x1E5D0, 0x1E5FA}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169},
     {0x1F170, 0x1F189}, {0x2EBF0, 0x2EE5D}}};

/// The characters of a word, as \w of Rust's regex: letters, marks, digits, connectors, joiners.
bool is_word(char32_t c) {
  const auto* range = std::lower_bound(kMoreWordCharacters.begin(), kMoreWordCharacters.end(), c,
                                       [](const Range& r, char32_t value) { return r.last < value; });
  if (range != kMoreWordCharacters.end() && range->first <= c) return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return true;
    default: return false;
  }
}

}  // namespace

std::optional<LiteralFinder::Match> LiteralFinder::find(std::string_view text, std::size_t from) const {
  for (std::size_t begin = from; begin < text.size(); ++begin) {
    if (!strings_.may_start(text[begin])) continue;
    std::optional<Match> longest;
    strings_.for_each_at(text, begin, [&](std::size_t end, int value) { longest = Match{begin, end, value}; });
    if (longest) return longest;
  }
  return std::nullopt;
}

AddedTokens::AddedTokens(const JsonObject& json, const SubwordModel& model, const Normalizer* normalizer) {
  const nlohmann::json& list = json.at("added_tokens");
  if (!list.is_array()) json.fail("added_tokens", "not a list");
  const std::string place = json.place() + ": added_tokens";
  std::vector<std::pair<std::string, int>> raw, normalized;
  int next = static_cast<int>(model.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonObject entry(list[i], place + "[" + std::to_string(i) + "]");
    entry.refuse_unknown({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    Token token{entry.get_string("content"), "", entry.get_bool("single_word"), entry.get_bool("lstrip"),
                entry.get_bool("rstrip")};
    if (token.content.empty()) entry.fail("content", "empty");
    const std::optional<int> of_model = model.id(token.content);
    const int id = static_cast<int>(entry.get_int("id", 0, kMaxId)), expected = of_model ? *of_model : next++;
    if (id != expected) {
      entry.fail("id",
                 std::to_string(id) + " for '" + printable(token.content) + "', expected " + std::to_string(expected));
    }
    const bool is_normalized = entry.get_bool("normalized");
    token.decoded = is_normalized && normalizer ? normalizer->normalize(token.content) : token.content;
    (is_normalized ? normalized : raw).emplace_back(token.decoded, id);
    if (entry.get_bool("special")) special_.insert(token.content);
    if (!ids_.emplace(token.content, id).second)
      entry.fail("content", "'" + printable(token.content) + "' is there twice");
    tokens_.emplace(id, std::move(token));
  }
  raw_ = LiteralFinder(std::move(raw), place);
  normalized_ = LiteralFinder(std::move(normalized), place);
}

bool AddedTokens::is_single_word(std::string_view text, const LiteralFinder::Match& match) const {
  std::size_t before = match.begin == 0 ? 0 : start_of_last_character(text, match.begin), after = match.end;
  return (match.begin == 0 || !is_word(next_code_point(text, before))) &&
         (match.end == text.size() || !is_word(next_code_point(text, after)));
}

std::vector<AddedTokens::Segment> AddedTokens::split(std::string_view text, const LiteralFinder& finder) const {
  std::vector<Segment> segments;
  std::size_t done = 0, from = 0;
  while (const auto match = finder.find(text, from)) {
    from = match->end;
    const Token& token = tokens_.at(match->value);
    if (token.single_word && !is_single_word(text, *match)) continue;
    const std::size_t begin =
        token.strip_left ? std::max(skip_white_space_back(text, match->begin, 0), done) : match->begin;
    const std::size_t end = token.strip_right ? skip_white_space(text, match->end) : match->end;
    if (begin > done) segments.push_back({text.substr(done, begin - done), std::nullopt});
    segments.push_back({text.substr(begin, end - begin), match->value});
    done = end;
  }
  if (done < text.size()) segments.push_back({text.substr(done), std::nullopt});
  return segments;
}

std::optional<int> AddedTokens::id(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

const std::string* AddedTokens::decoded(int id) const {
  const auto found = tokens_.find(id);
  return found == tokens_.end() ? nullptr : &found->second.decoded;
}

std::size_t AddedTokens::count_outside(const SubwordModel& model) const {
  return std::count_if(ids_.begin(), ids_.end(), [&](const auto& token) { return !model.id(token.first); });
}

}  // namespace trireme
