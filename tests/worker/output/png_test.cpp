#include "worker/output/png.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "tests/worker/output/decoded_png.h"
#include "worker/output/generation_text.h"

namespace trireme {
namespace {

std::vector<std::uint8_t> picture(int width, int height) {
  std::vector<std::uint8_t> pixels;
  std::uint32_t state = 1;
  for (int i = 0; i < width * height * 3; ++i) {
    state = state * 1664525 + 1013904223;
    pixels.push_back(static_cast<std::uint8_t>(i % 7 == 0 ? state >> 24 : i));
  }
  return pixels;
}

Item item() {
  Item item;
  item.id = "a-1";
  item.prompt = "a cat, \"red\"";
  item.negative_prompt = "blurry";
  item.seed = 18446744073709551615u;
  item.width = 64;
  item.height = 32;
  item.steps = 8;
  item.guidance = 4.5;
  item.shift = 3;
  return item;
}

const PictureFacts kFacts{"Z-Image-Turbo", "0123abcd", "bfloat16", "trireme 0.1.0"};

}  // namespace

TEST(Png, KeepsEveryPixel) {
  for (const auto& [width, height] : {std::pair(1, 1), {3, 5}, {64, 32}, {257, 129}}) {
    const std::vector<std::uint8_t> pixels = picture(width, height);
    const DecodedPng decoded = decode_png(encode_png(pixels, width, height, {}));
    EXPECT_EQ(decoded.width, width);
    EXPECT_EQ(decoded.height, height);
    EXPECT_EQ(decoded.pixels, pixels);
    EXPECT_TRUE(decoded.latin1.empty() && decoded.utf8.empty());
  }
}

TEST(Png, GivesTheSameBytesForTheSamePicture) {
  const std::vector<PngText> texts = generation_texts(item(), kFacts);
  EXPECT_EQ(encode_png(picture(64, 32), 64, 32, texts), encode_png(picture(64, 32), 64, 32, texts));
}

TEST(Png, WritesLatin1WhereItHoldsTheTextAndUtf8Elsewhere) {
  const DecodedPng decoded = decode_png(encode_png(picture(8, 8), 8, 8,
                                                   {{"ascii", "plain\nlines"},
                                                    {"latin", "caf\xC3\xA9 \xC3\xBF"},
                                                    {"wide", "\xC4\x80 \xE7\x8C\xAB \xF0\x9F\x90\x88"},
                                                    {"nul", std::string("a\0b", 3)},
                                                    {"empty", ""}}));
  EXPECT_EQ(decoded.latin1.at("ascii"), "plain\nlines");
  EXPECT_EQ(decoded.latin1.at("latin"), "caf\xE9 \xFF");
  EXPECT_EQ(decoded.latin1.at("empty"), "");
  EXPECT_EQ(decoded.utf8.at("wide"), "\xC4\x80 \xE7\x8C\xAB \xF0\x9F\x90\x88");
  EXPECT_EQ(decoded.utf8.at("nul"),
            "a\xEF\xBF\xBD"
            "b");
}

TEST(Png, RefusesAPictureOfTheWrongSizeAndOneTooLargeForTheFormat) {
  EXPECT_THROW(encode_png(picture(8, 8), 8, 9, {}), Error);
  EXPECT_THROW(encode_png({}, 0, 0, {}), Error);
  const std::vector<std::uint8_t> line(3 * 1'000'001);
  EXPECT_THROW(encode_png(line, 1'000'001, 1, {}), ItemError);
}

TEST(GenerationText, HasTheShapeThatOtherToolsRead) {
  const std::vector<PngText> texts = generation_texts(item(), kFacts);
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[0].keyword, "parameters");
  EXPECT_EQ(texts[0].text,
            "a cat, \"red\"\nNegative prompt: blurry\nSteps: 8, Sampler: Euler, CFG scale: 4.5, Seed: "
            "18446744073709551615, Size: 64x32, Model: Z-Image-Turbo, Version: trireme 0.1.0");
  Item plain = item();
  plain.negative_prompt = "";
  EXPECT_EQ(generation_texts(plain, kFacts)[0].text.find("Negative"), std::string::npos);
}

TEST(GenerationText, HoldsEveryValueExactlyAsAsciiJson) {
  Item odd = item();
  odd.prompt = std::string("caf\xC3\xA9 \xF0\x9F\x90\x88\0", 11);
  odd.guidance = 0.1;
  const PngText text = generation_texts(odd, kFacts)[1];
  EXPECT_EQ(text.keyword, "trireme");
  for (const char c : text.text) ASSERT_TRUE(c >= ' ' && c < 127);
  const nlohmann::json json = nlohmann::json::parse(text.text);
  EXPECT_EQ(json["prompt"], odd.prompt);
  EXPECT_EQ(json["seed"], 18446744073709551615u);
  EXPECT_EQ(json["guidance"], 0.1);
  EXPECT_EQ(json["dtype"], "bfloat16");
  EXPECT_EQ(json["sampler"], "Euler");
  EXPECT_FALSE(json.contains("system_prompt"));
}

TEST(GenerationText, NamesTheItemsOwnSamplerAndSystemPrompt) {
  Item other = item();
  other.sampler = "midpoint";
  other.system_prompt = "You are an assistant.";
  const std::vector<PngText> texts = generation_texts(other, kFacts);
  EXPECT_NE(texts[0].text.find("Sampler: Midpoint,"), std::string::npos);
  const nlohmann::json json = nlohmann::json::parse(texts[1].text);
  EXPECT_EQ(json["sampler"], "Midpoint");
  EXPECT_EQ(json["system_prompt"], "You are an assistant.");
}

}  // namespace trireme
