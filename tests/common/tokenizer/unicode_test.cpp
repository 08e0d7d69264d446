// Which characters are letters, numbers, blanks, parts of a word or combining marks, against the reference for every
// code point: the libraries underneath follow other versions of Unicode.

#include <gtest/gtest.h>

#include <map>

#include "common/tokenizer/normalizer.h"
#include "common/tokenizer/regex.h"
#include "common/utf8.h"
#include "tests/common/tokenizer/fixtures.h"

namespace trireme {
namespace {

using Runs = std::vector<std::pair<char32_t, char32_t>>;

Runs golden_runs(const std::string& name) {
  const nlohmann::json sets = parse_json(read_file(golden_file("tokenizer_unicode.json"), 1 << 20), "sets");
  Runs runs;
  for (const auto& run : sets.at(name)) runs.emplace_back(run[0].get<std::uint32_t>(), run[1].get<std::uint32_t>());
  return runs;
}

template <class Predicate>
Runs runs_of(const Predicate& holds) {
  Runs runs;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    if (!holds(c)) continue;
    if (!runs.empty() && c == runs.back().second + 1) {
      runs.back().second = c;
    } else {
      runs.emplace_back(c, c);
    }
  }
  return runs;
}

std::string character(char32_t c) {
  std::string text;
  append_code_point(text, c);
  return text;
}

Runs runs_matched_by(const char* pattern) {
  const Regex regex(pattern, "test");
  return runs_of([&](char32_t c) { return !regex.find_all(character(c)).empty(); });
}

TEST(Unicode, LettersAreThoseOfTheReference) { EXPECT_EQ(runs_matched_by("\\p{L}"), golden_runs("letters")); }
TEST(Unicode, NumbersAreThoseOfTheReference) { EXPECT_EQ(runs_matched_by("[\\p{N}]"), golden_runs("numbers")); }
TEST(Unicode, BlanksAreThoseOfTheReference) { EXPECT_EQ(runs_matched_by("\\s"), golden_runs("blanks")); }

TEST(Unicode, WordCharactersAreThoseOfTheReference) {
  const std::string token = R"([{"id":6,"content":"word","single_word":true,"lstrip":false,"rstrip":false,)"
                            R"("normalized":false,"special":false}])";
  const Tokenizer tokenizer = Tokenizer::parse(TokenizerText{.added_tokens = token}.str(), "test");
  EXPECT_EQ(runs_of([&](char32_t c) {
              const std::vector<int> ids = tokenizer.encode("word" + character(c));
              return ids.empty() || ids.front() != 6;
            }),
            golden_runs("word_characters"));
}

TEST(Unicode, CombiningMarksAreThoseOfTheReference) {
  const nlohmann::json nfc = parse_json(R"({"type":"NFC"})", "test");
  const auto normalizer = make_normalizer(JsonObject(nfc, "test"));
  EXPECT_EQ(runs_of([&](char32_t c) {
              const std::string text = "b" + character(c) + "\u0334";
              return normalizer->normalize(text) != text;
            }),
            golden_runs("changed_by_nfc"));
}

}  // namespace
}  // namespace trireme
