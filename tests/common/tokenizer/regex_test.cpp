#include "common/tokenizer/regex.h"

#include <gtest/gtest.h>

#include "common/errors.h"
#include "tests/common/error_of.h"

namespace trireme {
namespace {

std::vector<std::string> matches(const char* pattern, std::string_view text) {
  std::vector<std::string> found;
  for (const auto& match : Regex(pattern, "test").find_all(text)) {
    found.emplace_back(text.substr(match.begin, match.end - match.begin));
  }
  return found;
}

using Texts = std::vector<std::string>;

TEST(Regex, FindsAllMatchesFromLeftToRight) {
  EXPECT_EQ(matches(" ?\\p{L}+|\\p{N}{1,3}", "ab cd1234é"), (Texts{"ab", " cd", "123", "4", "é"}));
  EXPECT_EQ(matches("\\s+(?!\\S)|\\s+", "   x  "), (Texts{"  ", " ", "  "}));
  EXPECT_EQ(matches("(?i:'s|'t)", "'S'ſ'T's"), (Texts{"'S", "'ſ", "'T", "'s"}));
  EXPECT_EQ(matches("[^\\s\\p{L}]+", "a1!\u2003é?"), (Texts{"1!", "?"}));
  EXPECT_EQ(matches("\\P{L}+|\\S", "a12b"), (Texts{"a", "12", "b"}));
}

TEST(Regex, AnEmptyMatchDoesNotStopTheSearch) {
  EXPECT_EQ(matches("a*", "baac"), (Texts{"", "aa", ""}));
  EXPECT_EQ(matches("(?=b)", "abéb"), (Texts{"", ""}));
  EXPECT_EQ(matches("a*", ""), (Texts{""}));
}

TEST(Regex, TheMongolianVowelSeparatorIsNoBlank) {
  EXPECT_EQ(matches("\\s+", "a\u180e \u0085\u2028"), (Texts{" \u0085\u2028"}));
  EXPECT_EQ(matches("[\\s]+", "\u180e\t"), (Texts{"\t"}));
}

TEST(Regex, ConstructsThatMeanSomethingElseInOnigurumaAreRefused) {
  for (const char* pattern :
       {"\\w",      "\\b",         "\\h",  "\\d",   "\\R",   "\\X",      "\\K",    "\\x41", "\\1",
        "\\p{Han}", "\\p{^L}",     "\\pL", "\\p{L", "\\",    ".",        "^a",     "a$",    "[a[b]]",
        "[a&&b]",   "[[:alpha:]]", "[]a]", "[a",    "[\\S]", "[\\P{L}]", "a{,2}",  "a{2}+", "a{2}?",
        "a{",       "{2}",         "a{2",  "*a",    "(?>a)", "(?<n>a)",  "(?<=a)", "(?s)a", "(*UCP)a",
        "(?i:ss)",  "(?i:é)",      "(a",   "a)",    "(?=a"}) {
    const Error error = error_of([&] { Regex(pattern, "place"); });
    EXPECT_EQ(error.code(), ExitCode::bad_data) << pattern;
    EXPECT_EQ(std::string(error.what()).find("place: "), 0u) << error.what();
  }
}

TEST(Regex, ALongTextOfBlanksIsWithinTheLimits) {
  const std::string blanks(12 << 20, ' ');
  EXPECT_EQ(Regex("\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", "test").find_all(blanks + "x").size(), 2u);
}

TEST(Regex, APatternWithoutEndIsStopped) {
  EXPECT_THROW(Regex("(?:a|a|aa)+b(?!b)", "test").find_all(std::string(64, 'a') + "bb"), ItemError);
}

}  // namespace
}  // namespace trireme
