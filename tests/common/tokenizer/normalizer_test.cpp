#include "common/tokenizer/normalizer.h"

#include <gtest/gtest.h>

namespace trireme {
namespace {

std::string nfc(std::string_view text) {
  const nlohmann::json json = parse_json(R"({"type":"NFC"})", "test");
  return make_normalizer(JsonObject(json, "test"))->normalize(text);
}

TEST(Normalizer, ComposesCanonically) {
  EXPECT_EQ(nfc("e\u0301"), "é");
  EXPECT_EQ(nfc("\u212b"), "Å");
  EXPECT_EQ(nfc("\u1100\u1161\u11a8"), "각");
  EXPECT_EQ(nfc("q\u0307\u0323"), "q\u0323\u0307");
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093c");
  EXPECT_EQ(nfc(std::string_view("a\0e\u0301", 5)), std::string("a\0é", 4));
}

TEST(Normalizer, LeavesComposedAndPlainTextAlone) {
  for (const char* text : {"", "plain", "é", "\u02ff", "漢字", "😀", "\ufffe", "\U0010ffff", "\u0301"})
    EXPECT_EQ(nfc(text), text);
}

TEST(Normalizer, KeepsUnicode9AsTheReferenceDoes) {
  EXPECT_EQ(nfc("\U00011935\U00011930"), "\U00011935\U00011930");  // composes since Unicode 13
  EXPECT_EQ(nfc("a\u0898\u0323\u0301"), "a\u0898\u0323\u0301");    // combining since Unicode 14
  EXPECT_EQ(nfc("\u110d\u1170\u11a7"), "\ucb80\u11a7");            // lost by utf8proc 2.8
}

TEST(Normalizer, ALongRunOfMarksIsNotQuadratic) {
  std::string text = "a", expected = "\u1ea1";
  for (int i = 0; i < 200'000; ++i) text += "\u0301\u0323";
  for (int i = 1; i < 200'000; ++i) expected += "\u0323";
  for (int i = 0; i < 200'000; ++i) expected += "\u0301";
  EXPECT_EQ(nfc(text), expected);
}

}  // namespace
}  // namespace trireme
