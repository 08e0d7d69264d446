#include "common/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/errors.h"

namespace trireme {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_data) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

std::string parse_error(std::string_view text) {
  return error_of([&] { parse_json(text, "f.json"); });
}

TEST(ParseJson, ReadsWhatPlainParseReads) {
  const std::string text =
      R"({"a": [1, -2, 3.5, 1e3, true, null, {"b": {}, "c": []}], "": "x\u0000\ud83d\ude00é", "n": 18446744073709551615})";
  EXPECT_EQ(parse_json(text, "f"), json::parse(text));
  EXPECT_EQ(parse_json("[[],[[]],{}]", "f"), json::parse("[[],[[]],{}]"));
  EXPECT_EQ(parse_json("\xEF\xBB\xBF 7 ", "f"), json(7));
}

TEST(ParseJson, RefusesDuplicateKeysAtAnyDepthWithTheirPlace) {
  EXPECT_EQ(parse_error("{\"a\": 1,\n  \"a\": 2}"), "f.json:2:3: duplicate key 'a'");
  EXPECT_EQ(parse_error(R"([{"x": {"k\"\\": 1, "k\"\\": 1}}])"), "f.json:1:21: duplicate key 'k\"\\'");
  EXPECT_THAT(parse_error(R"({"a": 1, "\u0061": 2})"), StartsWith("f.json:1:10: duplicate key 'a'"));
}

TEST(ParseJson, RefusesWhatFollowsTheValue) {
  EXPECT_THAT(parse_error("{} x"), StartsWith("f.json:1:4: "));
  EXPECT_THAT(parse_error("1 2"), StartsWith("f.json:1:"));
  EXPECT_THAT(parse_error(std::string_view("{}\0{", 4)), StartsWith("f.json:1:3: NUL byte"));
}

TEST(ParseJson, NamesThePlaceOfASyntaxError) {
  EXPECT_THAT(parse_error("{\"a\": 1,\n \"b\" 2}"), StartsWith("f.json:2:6: "));
  EXPECT_THAT(parse_error(""), HasSubstr("unexpected end of input"));
  EXPECT_THAT(parse_error("[1,]"), StartsWith("f.json:1:4: "));
  EXPECT_THAT(parse_error("// no\n1"), StartsWith("f.json:1:"));
  EXPECT_THAT(error_of([] { parse_json("{", "p.jsonl", 12); }), StartsWith("p.jsonl:12:"));
}

TEST(ParseJson, RefusesInvalidTextAndNumbers) {
  EXPECT_THAT(parse_error("\"\xff\""), HasSubstr("UTF-8"));
  EXPECT_THAT(parse_error("\"\xc0\xaf\""), HasSubstr("UTF-8"));
  EXPECT_THAT(parse_error("\"\xed\xa0\x80\""), HasSubstr("UTF-8"));
  EXPECT_THAT(parse_error(R"("\ud800")"), HasSubstr("surrogate"));
  parse_error("\"a\nb\"");
  parse_error("1e999");
  parse_error("NaN");
  parse_error("01");
}

TEST(ParseJson, CapsNesting) {
  EXPECT_NO_THROW(parse_json(std::string(100, '[') + std::string(100, ']'), "f"));
  EXPECT_THAT(parse_error(std::string(101, '[') + std::string(101, ']')), StartsWith("f.json:1:101: nested deeper"));
  EXPECT_THAT(parse_error(std::string(1'000'000, '[')), HasSubstr("nested deeper"));
}

TEST(JsonObject, ReadsTypedValues) {
  const json value = parse_json(
      R"({"i": 5, "d": 2.5, "s": "x", "b": true, "l": [1, 2], "o": {"k": 1}, "u": 18446744073709551615, "us": "18446744073709551615", "z": null})",
      "c.json");
  const JsonObject object(value, "c.json");
  EXPECT_EQ(object.get_int("i", 0, 5), 5);
  EXPECT_EQ(object.get_int_or("none", -1, 0, 5), -1);
  EXPECT_EQ(object.get_int_or("z", -1, 0, 5), -1);
  EXPECT_EQ(object.get_double("d", 0, 10), 2.5);
  EXPECT_EQ(object.get_double("i", 0, 10), 5);
  EXPECT_EQ(object.get_string("s"), "x");
  EXPECT_TRUE(object.get_bool("b"));
  EXPECT_EQ(object.get_ints("l", 1, 2), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(object.get_object("o").get_int("k", 1, 1), 1);
  EXPECT_EQ(object.get_uint64("u"), UINT64_MAX);
  EXPECT_EQ(object.get_uint64("us"), UINT64_MAX);
  EXPECT_FALSE(object.has("z"));
}

TEST(JsonObject, NeverWrapsTruncatesOrConverts) {
  const json value = parse_json(
      R"({"f": 3.7, "neg": -1, "big": 18446744073709551616, "u": 18446744073709551615, "s": "5", "t": true, "l": [1, 2.5], "n": " 1"})",
      "c.json");
  const JsonObject object(value, "c.json");
  EXPECT_EQ(error_of([&] { object.get_int("f", 0, 9); }), "c.json: f: not an integer but 3.7");
  EXPECT_EQ(error_of([&] { object.get_int("u", 0, INT64_MAX); }),
            "c.json: u: 18446744073709551615 is outside 0 to 9223372036854775807");
  EXPECT_EQ(error_of([&] { object.get_int("neg", 0, 9); }), "c.json: neg: -1 is outside 0 to 9");
  EXPECT_EQ(error_of([&] { object.get_int("gone", 0, 9); }), "c.json: gone: missing");
  for (const char* key : {"f", "big", "s", "t", "l"}) error_of([&] { object.get_int(key, INT64_MIN, INT64_MAX); });
  for (const char* key : {"f", "neg", "big", "t", "n"}) error_of([&] { object.get_uint64(key); });
  for (const char* key : {"s", "t", "l"}) error_of([&] { object.get_double(key, -1e9, 1e9); });
  for (const char* key : {"f", "t", "l"}) error_of([&] { object.get_string(key); });
  for (const char* key : {"f", "s"}) error_of([&] { object.get_bool(key); });
  error_of([&] { object.get_ints("l", 0, 9); });
  error_of([&] { object.get_object("l"); });
}

TEST(JsonObject, RefusesUnknownKeysWithASuggestion) {
  const json value = parse_json(R"({"widht": 5})", "c.json");
  EXPECT_EQ(error_of([&] {
              JsonObject(value, "c.json").refuse_unknown({"width", "height"});
            }),
            "c.json: widht: unknown key; did you mean 'width'?");
}

}  // namespace
}  // namespace trireme
