#include "common/utf8.h"

#include <gtest/gtest.h>

namespace trireme {

TEST(Utf8, FindsTheFirstMalformedByte) {
  EXPECT_FALSE(find_invalid_utf8("plain é 漢 😀 \xC2\x80\xEF\xBF\xBF\xF4\x8F\xBF\xBF"));
  EXPECT_FALSE(find_invalid_utf8(std::string_view("a\0b", 3)));
  EXPECT_FALSE(find_invalid_utf8(""));
  const char* const malformed[] = {
      "\x80",     "\xC0\xAF",         "\xC1\xBF",         "\xE0\x80\x80",     "\xED\xA0\x80", "\xED\xBF\xBF",
      "\xE2\x82", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",         "\xF0\x9F\x98",
      "\xC3"};
  for (const char* text : malformed) EXPECT_EQ(find_invalid_utf8("ab" + std::string(text)), 2u);
  EXPECT_EQ(find_invalid_utf8("é\xffx"), 2u);
}

TEST(Utf8, ReplacesMalformedBytesAsUnicodeRecommends) {
  EXPECT_EQ(replace_invalid_utf8("é\xffx"), "é\uFFFDx");
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82x"), "\uFFFDx");  // a sequence cut short is one
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x98"), "\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate is three
  EXPECT_EQ(replace_invalid_utf8("\xC0\xAF\xF5"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8(""), "");
}

TEST(Utf8, CodePointsComeBackAsTheyWere) {
  for (const char32_t value : {0x0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x10FFFF}) {
    std::string text;
    append_code_point(text, value);
    EXPECT_FALSE(find_invalid_utf8(text));
    std::size_t at = 0;
    EXPECT_EQ(next_code_point(text, at), value);
    EXPECT_EQ(at, text.size());
  }
}

TEST(Utf8, SkipsOneByteOrderMark) {
  EXPECT_EQ(skip_bom("\xEF\xBB\xBFx"), "x");
  EXPECT_EQ(skip_bom("\xEF\xBB\xBF\xEF\xBB\xBF"), "\xEF\xBB\xBF");
  EXPECT_EQ(skip_bom("\xEF\xBB"), "\xEF\xBB");
}

TEST(Utf8, ShowsNothingThatWouldSteerATerminal) {
  EXPECT_EQ(printable("é\x1b[31m\n\xff"), "é\\x1b[31m\\x0a\\xff");
  EXPECT_EQ(printable("\xC2\x9B"), "\\xc2\\x9b");
  EXPECT_EQ(printable("ééé", 5), "éé...");
}

TEST(Utf8, CountsLinesAndCodePoints) {
  const std::string_view text = "a\né漢x";
  EXPECT_EQ(position_of(text, 7).line, 2u);
  EXPECT_EQ(position_of(text, 7).column, 3u);
  EXPECT_EQ(position_of(text, 99).column, 4u);
}

}  // namespace trireme
