#include "common/structured_prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/json.h"
#include "tests/common/error_of.h"

namespace trireme {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string rendered(const std::string& text) {
  return render_prompt(nlohmann::ordered_json::parse(text), "p.jsonl:3: prompt");
}

std::string refused(const std::string& text) {
  return error_of([&] { rendered(text); }).what();
}

/// The `prompt` of the only entry of a .yaml file.
std::string from_yaml(const std::string& text) {
  const std::vector<YamlPrompt> prompts = read_yaml_prompts(text, "p.yaml");
  EXPECT_EQ(prompts.size(), 1u);
  nlohmann::json value = parse_json(prompts.at(0).json, "p.yaml");
  render_prompts(prompts[0].json, value, "p.yaml:1");
  return value.at("prompt");
}

TEST(StructuredPrompt, BecomesTagsInTheOrderWritten) {
  EXPECT_EQ(rendered(R"({"z": {"n": "miku", "gender": "1girl"}, "a": {"style": "anime"}})"),
            "<z><n>miku</n><gender>1girl</gender></z><a><style>anime</style></a>");
  EXPECT_EQ(rendered("{}"), "");
  EXPECT_EQ(rendered(R"({"a": {}, "b": ""})"), "<a></a><b></b>");
}

TEST(StructuredPrompt, LeavesTextsAsTheyAre) {
  EXPECT_EQ(rendered(R"({"n": " a & b <i>c</i>\n初音 "})"), "<n> a & b <i>c</i>\n初音 </n>");
  EXPECT_EQ(rendered(R"({"a": 1, "b": -0.5, "c": true})"), "<a>1</a><b>-0.5</b><c>true</c>");
}

TEST(StructuredPrompt, JoinsTextsAndRepeatsTagsOfObjects) {
  EXPECT_EQ(rendered(R"({"tags": ["blue hair", "twintails", 2]})"), "<tags>blue hair, twintails, 2</tags>");
  EXPECT_EQ(rendered(R"({"c": [{"n": "a"}, {"n": "b"}]})"), "<c><n>a</n></c><c><n>b</n></c>");
  EXPECT_EQ(rendered(R"({"c": []})"), "<c></c>");
  EXPECT_EQ(rendered(R"({"c": ["", "x"]})"), "<c>, x</c>");
}

TEST(StructuredPrompt, RefusesWhatHasNoTagAndSaysWhere) {
  EXPECT_THAT(refused(R"({"a": {"1st": "x"}})"), StartsWith("p.jsonl:3: prompt.a.1st: a tag is made of"));
  EXPECT_THAT(refused(R"({"": "x"})"), HasSubstr("a tag is made of"));
  EXPECT_THAT(refused(R"({"a b": "x"})"), HasSubstr("a tag is made of"));
  EXPECT_THAT(refused(R"({"a": null})"), StartsWith("p.jsonl:3: prompt.a: no value"));
  EXPECT_THAT(refused(R"({"a": ["x", {"b": "y"}]})"), HasSubstr("either texts or objects"));
  EXPECT_THAT(refused(R"({"a": [{"b": "y"}, "x"]})"), HasSubstr("either texts or objects"));
  EXPECT_THAT(refused(R"({"a": [["x"]]})"), HasSubstr("either texts or objects"));
}

TEST(StructuredPrompt, IsRenderedInALineWhereItIsAnObject) {
  const std::string line = R"({"id": "x", "negative_prompt": {"b": "1", "a": "2"}, "prompt": {"n": "miku", "a": "x"}})";
  nlohmann::json value = parse_json(line, "p.jsonl");
  render_prompts(line, value, "p.jsonl:1");
  EXPECT_EQ(value.at("prompt"), "<n>miku</n><a>x</a>");
  EXPECT_EQ(value.at("negative_prompt"), "<b>1</b><a>2</a>");
  EXPECT_EQ(value.at("id"), "x");
  const std::string plain = R"({"prompt": "a fox"})";
  value = parse_json(plain, "p.jsonl");
  render_prompts(plain, value, "p.jsonl:1");
  EXPECT_EQ(value, parse_json(plain, "p.jsonl"));
}

TEST(YamlPrompts, AreTheSameAsLinesOfJson) {
  const std::string text =
      "# two\n"
      "- id: 7\n"
      "  prompt: {n: miku, count: 1, on: no}\n"
      "  seed: 18446744073709551615\n"
      "  guidance: 2.5\n"
      "- prompt: |\n"
      "    a fox\n"
      "  sampler: midpoint\n"
      "  steps: \"8\"\n";
  const std::vector<YamlPrompt> prompts = read_yaml_prompts(text, "p.yaml");
  ASSERT_EQ(prompts.size(), 2u);
  EXPECT_EQ(prompts[0].line, 2u);
  EXPECT_EQ(prompts[0].json,
            R"({"id":"7","prompt":{"n":"miku","count":"1","on":"no"},"seed":18446744073709551615,"guidance":2.5})");
  EXPECT_EQ(prompts[1].line, 6u);
  EXPECT_EQ(prompts[1].json, R"({"prompt":"a fox\n","sampler":"midpoint","steps":"8"})");
}

TEST(YamlPrompts, RenderNestedMapsWithTextsAsWritten) {
  EXPECT_EQ(from_yaml("- prompt:\n    character_1: {n: miku, age: 0x10, eyes: [blue, 1.0]}\n    general_tags:\n      "
                      "style: anime\n"),
            "<character_1><n>miku</n><age>0x10</age><eyes>blue, 1.0</eyes></character_1>"
            "<general_tags><style>anime</style></general_tags>");
}

TEST(YamlPrompts, RefuseWhatIsNoListOfMaps) {
  const auto refused = [](const std::string& text) {
    return std::string(error_of([&] { read_yaml_prompts(text, "p.yaml"); }).what());
  };
  EXPECT_THAT(refused("prompt: a fox"), StartsWith("p.yaml:1:1: not a list of prompts"));
  EXPECT_THAT(refused("- a fox"), StartsWith("p.yaml:1:3: not a map"));
  EXPECT_THAT(refused("- prompt: {a: 1, a: 2}"), HasSubstr("duplicate key 'a'"));
  EXPECT_TRUE(read_yaml_prompts("# nothing\n", "p.yaml").empty());
}

TEST(YamlPrompts, MayBeMany) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "- {prompt: a fox}\n";
  EXPECT_EQ(read_yaml_prompts(text, "p.yaml").size(), 5000u);
}

}  // namespace
}  // namespace trireme
