#include "common/yaml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/errors.h"

namespace trireme {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

template <class Call>
std::string error_of(Call call, ExitCode code = ExitCode::config) {
  try {
    call();
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

std::string parse_error(std::string_view text) {
  return error_of([&] { parse_yaml(text, "j.yaml"); });
}

YamlNode value(const std::string& text) { return parse_yaml("k: " + text, "j.yaml").entries.at(0).second; }

TEST(YamlReader, KeepsTextAndPlaces) {
  const YamlNode root =
      parse_yaml("\xEF\xBB\xBF# c\r\na:\r\n  b: no\r\n  c: {d: \"8\", e: [1, é]}\r\nf:\r\n", "j.yaml");
  const YamlNode& a = *root.find("a");
  EXPECT_EQ(a.find("b")->text, "no");
  EXPECT_EQ(a.find("b")->place, "j.yaml:3:6");
  EXPECT_EQ(a.find("b")->path, "a.b");
  EXPECT_TRUE(a.find("c")->find("d")->quoted);
  EXPECT_EQ(a.find("c")->find("e")->entries.at(1).second.path, "a.c.e[1]");
  EXPECT_EQ(root.find("f")->kind, YamlNode::Kind::null);
  EXPECT_EQ(root.find("g"), nullptr);
}

TEST(YamlReader, TakesAnEmptyFileAsNothing) {
  EXPECT_EQ(parse_yaml("", "j").kind, YamlNode::Kind::null);
  EXPECT_EQ(parse_yaml("# only a comment\n", "j").kind, YamlNode::Kind::null);
}

TEST(YamlReader, RefusesWhatSharesOrHidesValues) {
  EXPECT_THAT(parse_error("a: &x 1\nb: *x"), AllOf(StartsWith("j.yaml:1:4: "), HasSubstr("anchors")));
  EXPECT_THAT(parse_error("a: &x [*x]"), HasSubstr("anchors"));
  EXPECT_THAT(parse_error("&x a: 1"), HasSubstr("anchors"));
  EXPECT_THAT(parse_error("a: {<<: {b: 1}}"), HasSubstr("merge keys"));
  EXPECT_THAT(parse_error("a: !!int 3"), HasSubstr("tags"));
  EXPECT_THAT(parse_error("a: !mine {b: 1}"), HasSubstr("tags"));
  EXPECT_EQ(parse_error("a: 1\nb: 2\na: 3"), "j.yaml:3:1: duplicate key 'a'");
  EXPECT_EQ(parse_error("s: {\"a\": 1, a: 3}"), "j.yaml:1:13: duplicate key 'a'");
  EXPECT_EQ(parse_error("a: 1\n---\nb: 2"), "j.yaml:2:1: a second document; a file holds one");
  EXPECT_THAT(parse_error("? [a]\n: 1"), HasSubstr("a key must be plain text"));
}

TEST(YamlReader, RefusesDamagedAndHugeText) {
  EXPECT_EQ(parse_error("a: 1\nb: \xff"), "j.yaml:2:4: invalid UTF-8");
  EXPECT_EQ(parse_error(std::string_view("a: \0", 4)), "j.yaml:1:4: NUL byte");
  EXPECT_THAT(parse_error("a: [1,\nb: 2"), StartsWith("j.yaml:"));
  EXPECT_THAT(parse_error("a:\n\tb: 1"), StartsWith("j.yaml:2:"));
  EXPECT_THAT(parse_error("a: \"no end"), StartsWith("j.yaml:1:"));
  EXPECT_THAT(parse_error(std::string((1 << 20) + 1, ' ')), HasSubstr("larger than 1 MiB"));
  EXPECT_THAT(parse_error("a: " + std::string(100'000, '[')), StartsWith("j.yaml:1:"));
  std::string many;
  for (int i = 0; i <= 1001; ++i) many += "k" + std::to_string(i) + ": 1\n";
  EXPECT_EQ(parse_error(many), "j.yaml:1001:8: more than 1000 entries");
  EXPECT_THAT(parse_error("a: " + std::string(17, '[') + std::string(17, ']')), HasSubstr("nested deeper"));
}

TEST(YamlReader, ReadsOnlyDecimalNumbers) {
  EXPECT_EQ(read_int(value("-12"), {-20, 20}), -12);
  EXPECT_EQ(read_uint64(value("18446744073709551615")), UINT64_MAX);
  EXPECT_EQ(read_double(value("1e-3"), {0, 1}), 0.001);
  EXPECT_EQ(read_double(value(".5"), {0, 1}), 0.5);
  for (const char* text : {"010", "0x10", "1e3", "1.0", "\"8\"", "+8", "8 8", "1_000", "99999999999999999999", "~",
                           "[8]", "yes", "abc", "''"}) {
    error_of([&] { read_int(value(text), {INT64_MIN, INT64_MAX}); });
  }
  for (const char* text : {"-1", "1.5", "18446744073709551616", "abc", "\"5\"", "01", ""}) {
    error_of([&] { read_uint64(value(text)); });
  }
  for (const char* text : {".inf", "-.inf", ".nan", "inf", "nan", "1e999", "0x1p3", "00.5", "1,5", "\"1\"", "true"}) {
    error_of([&] { read_double(value(text), {-1e308, 1e308}); });
  }
  EXPECT_EQ(error_of([&] {
              read_int(value("300"), {1, 255});
            }),
            "j.yaml:1:4: k: 300 is out of range; allowed: 1 to 255");
  EXPECT_EQ(error_of([&] {
              read_double(value("0"), {0, 1, true});
            }),
            "j.yaml:1:4: k: 0 is out of range; allowed: above 0 to 1");
}

TEST(YamlReader, KnowsTwoBooleans) {
  EXPECT_TRUE(read_bool(value("true")));
  EXPECT_FALSE(read_bool(value("false")));
  for (const char* text : {"on", "yes", "y", "True", "1", "\"true\"", "~"}) error_of([&] { read_bool(value(text)); });
}

TEST(YamlReader, TakesAnyScalarAsTextButNotNothing) {
  EXPECT_EQ(read_text(value("no")), "no");
  EXPECT_EQ(read_text(value("''")), "");
  EXPECT_THAT(error_of([&] { read_text(value("")); }), HasSubstr("no value"));
  EXPECT_THAT(error_of([&] { read_text(value("[a]")); }), HasSubstr("not text but a list"));
}

TEST(YamlReader, SetsOverridesAndNamesThem) {
  YamlNode root = parse_yaml("a: {b: 1}\nn: 1", "j.yaml");
  apply_override(root, "a.b=x=y.z");
  apply_override(root, "a.c=");
  apply_override(root, "d.e=2");
  EXPECT_EQ(root.find("a")->find("b")->text, "x=y.z");
  EXPECT_EQ(read_text(*root.find("a")->find("c")), "");
  EXPECT_EQ(error_of([&] {
              read_int(*root.find("d")->find("e"), {5, 9});
            }),
            "--set d.e=2: d.e: 2 is out of range; allowed: 5 to 9");
  for (const char* bad : {"a.b", "=1", "a.=1", ".b=1", "a..b=1", ""}) {
    error_of([&] { apply_override(root, bad); }, ExitCode::usage);
  }
}

TEST(YamlReader, SaysWhichFileIsMissing) {
  EXPECT_THAT(error_of([] { read_yaml("/nowhere/j.yaml"); }, ExitCode::input_missing), HasSubstr("/nowhere/j.yaml"));
}

}  // namespace
}  // namespace trireme
