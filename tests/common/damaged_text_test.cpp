// Every text reader against thousands of damaged inputs: each is read or refused with one clean line, never worse.
// Meant for the asan preset; the seeds are fixed.

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "common/errors.h"
#include "common/json.h"
#include "common/structured_prompt.h"
#include "common/utf8.h"
#include "common/xml_lint.h"
#include "common/yaml_reader.h"

namespace trireme {
namespace {

constexpr int kRounds = 3000;

std::string damaged(std::string text, std::mt19937& random) {
  static const std::string kPieces[] = {"\"",   "{",       "}",       "[",    "]",    ":",     ",",
                                        "\n",   "\t",      "&a ",     "*a",   "!!x ", "- ",    "? ",
                                        "|",    ">",       "'",       "%",    "#",    "---\n", "...\n",
                                        "<<: ", "\\u0000", "\\ud800", "\xff", "\xc3", "1e999", std::string(1, '\0'),
                                        "0",    "-",       "\r"};
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  for (std::size_t edits = 1 + below(4); edits > 0; --edits) {
    const std::size_t at = below(text.size() + 1);
    switch (below(3)) {
      case 0: text.insert(at, kPieces[below(std::size(kPieces))]); break;
      case 1: text.erase(at, 1 + below(8)); break;
      default: text.insert(at, text.substr(below(text.size() + 1), below(20) + 1)); break;
    }
  }
  return text;
}

/// Returns how many of the damaged texts were refused.
int read_damaged(const std::string& text, const std::function<void(const std::string&)>& read) {
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::string bad = damaged(text, random);
    try {
      read(bad);
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_TRUE(message.starts_with("f:")) << message;
      EXPECT_EQ(printable(message, 1000), message) << "from " << printable(bad, 1000);
      ++refused;
    }
  }
  return refused;
}

TEST(DamagedText, JsonIsReadOrRefused) {
  const std::string text = R"({"a": [1, -2.5e3, "x\u00e9\n", {"b": null}], "prompt": "é 漢", "t": true})";
  const int refused = read_damaged(text, [](const std::string& bad) { parse_json(bad, "f"); });
  EXPECT_GT(refused, kRounds / 2);
  EXPECT_LT(refused, kRounds);
}

TEST(DamagedText, YamlIsReadOrRefused) {
  const std::string text =
      "model: {path: m, family: fake}\nsampling:\n  width: 64\n  negative_prompt: \"é: x\"\n  l: [1, 2]\n"
      "output:\n  directory: |\n    long\n    text\n";
  const int refused = read_damaged(text, [](const std::string& bad) { parse_yaml(bad, "f"); });
  EXPECT_GT(refused, kRounds / 4);
  EXPECT_LT(refused, kRounds);
}

TEST(DamagedText, PromptsAreRenderedAndLintedOrRefused) {
  const std::string text =
      "- id: a\n  seed: 7\n  prompt: {c_1: {n: \"miku é\", e: [blue, 1.0]}, g: x}\n"
      "- {prompt: \"<a>x</a><b/> <!-- <c> -->\", negative_prompt: {q: low}}\n";
  const int refused = read_damaged(text, [](const std::string& bad) {
    for (const YamlPrompt& prompt : read_yaml_prompts(bad, "f")) {
      nlohmann::json value = parse_json(prompt.json, "f");
      render_prompts(prompt.json, value, "f:1");
      if (value.contains("prompt") && value["prompt"].is_string()) lint_tags(value["prompt"].get<std::string>());
    }
  });
  EXPECT_GT(refused, kRounds / 4);
  EXPECT_LT(refused, kRounds);
}

}  // namespace
}  // namespace trireme
