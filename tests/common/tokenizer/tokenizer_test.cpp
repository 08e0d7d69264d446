#include "common/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "common/errors.h"
#include "common/tokenizer/chat.h"
#include "tests/common/error_of.h"
#include "tests/common/tokenizer/fixtures.h"

namespace trireme {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Tokenizer, AgreesWithTheReferenceOnHardTexts) { expect_golden(qwen3_tokenizer(), "tokenizer_qwen3.jsonl", 400); }

TEST(Tokenizer, AgreesWithTheReferenceOnFlagsOfAddedTokens) {
  expect_golden(flags_tokenizer(), "tokenizer_flags.jsonl", 50);
}

TEST(Tokenizer, KnowsItsVocabulary) {
  EXPECT_EQ(qwen3_tokenizer().vocab_size(), 151669u);
  EXPECT_EQ(qwen3_tokenizer().id("<|im_end|>"), 151645);
  EXPECT_EQ(qwen3_tokenizer().id("!"), 0);
  EXPECT_EQ(qwen3_tokenizer().id("<|nothing|>"), std::nullopt);
  EXPECT_EQ(flags_tokenizer().vocab_size(), 297u);
}

TEST(Tokenizer, TextThatIsNotUtf8IsAnItemsError) {
  for (const char* text : {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80"}) {
    EXPECT_THROW(qwen3_tokenizer().encode(text), ItemError);
  }
}

TEST(Tokenizer, SpecialTokensAreLeftOutOnRequestAndOthersStay) {
  const std::vector<int> ids{151644, 9707, 151667, 151645};
  EXPECT_EQ(qwen3_tokenizer().decode(ids, true), "Hello<think>");
  EXPECT_EQ(qwen3_tokenizer().decode(ids, false), "<|im_start|>Hello<think><|im_end|>");
}

TEST(Tokenizer, IdsThatNoTokenHasAreSkipped) {
  const std::vector<int> ids{-1, 9707, 151669, 1 << 30};
  EXPECT_EQ(qwen3_tokenizer().decode(ids, false), "Hello");
}

TEST(Tokenizer, WritesThePromptOfZImageAsTheChatTemplateDoes) {
  EXPECT_EQ(z_image_prompt("a fox"), "<|im_start|>user\na fox<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_THAT(qwen3_tokenizer().encode(z_image_prompt("a fox")),
              ElementsAre(151644, 872, 198, 64, 38835, 151645, 198, 151644, 77091, 198));
}

TEST(Tokenizer, EveryTextComesBackFromItsIds) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    std::string text;  // ASCII is its own composed form
    for (std::size_t i = random() % 60; i > 0; --i) text += static_cast<char>(random() % 128);
    EXPECT_EQ(qwen3_tokenizer().decode(qwen3_tokenizer().encode(text), false), text);
  }
}

Tokenizer parse(const TokenizerText& text) { return Tokenizer::parse(text.str(), "file"); }

std::string refusal(const TokenizerText& text) {
  const Error error = error_of([&] { parse(text); });
  EXPECT_EQ(error.code(), ExitCode::bad_data) << error.what();
  return error.what();
}

TEST(Tokenizer, MergesJoinTheFirstListedPairFirst) {
  EXPECT_THAT(parse({}).encode("abc"), ElementsAre(5));
  EXPECT_THAT(parse({}).encode("bcab"), ElementsAre(4, 3));
  EXPECT_THAT(parse({.merges = R"([["b","c"],["a","b"],["ab","c"]])"}).encode("abc"), ElementsAre(0, 4));
  EXPECT_THAT(parse({.merges = R"(["b c","a b"])"}).encode("abc"), ElementsAre(0, 4));
}

TEST(Tokenizer, AWholePieceMayBypassTheMerges) {
  const std::string merges = "[]";
  EXPECT_THAT(parse({.options = R"(,"ignore_merges":true)", .merges = merges}).encode("abc"), ElementsAre(5));
  EXPECT_THAT(parse({.options = R"(,"ignore_merges":false)", .merges = merges}).encode("abc"), ElementsAre(0, 1, 2));
}

TEST(Tokenizer, CharactersBeyondTheVocabularyAreLeftOut) { EXPECT_THAT(parse({}).encode("axbc"), ElementsAre(5)); }

TEST(Tokenizer, CharactersBeyondTheVocabularyBecomeTheUnknownTokenWhereThereIsOne) {
  const Tokenizer each = parse({.options = R"(,"unk_token":"c","fuse_unk":false)"});
  EXPECT_THAT(each.encode("axyb"), ElementsAre(0, 2, 2, 1));
  EXPECT_THAT(each.encode("abx"), ElementsAre(5));  // it takes part in merges
  const Tokenizer fused = parse({.options = R"(,"unk_token":"c","fuse_unk":true)"});
  EXPECT_THAT(fused.encode("axyb"), ElementsAre(0, 2, 1));
  EXPECT_THAT(fused.encode("axbx"), ElementsAre(0, 2, 4));
  const Tokenizer lost = parse({.options = R"(,"unk_token":"<unk>")"});
  EXPECT_THAT(lost.encode("abc"), ElementsAre(5));
  EXPECT_THROW(lost.encode("abx"), ItemError);
}

TEST(Tokenizer, KindsThatAreNotSupportedAreNamedWithTheirPlace) {
  EXPECT_THAT(refusal({.normalizer = R"({"type":"NFKC"})"}), HasSubstr("file: normalizer: type: 'NFKC'"));
  EXPECT_THAT(refusal({.pre_tokenizer = R"({"type":"Sequence","pretokenizers":[{"type":"Digits"}]})"}),
              HasSubstr("pre_tokenizer: pretokenizers[0]: type: 'Digits'"));
  EXPECT_THAT(refusal({.decoder = R"({"type":"WordPiece"})"}), HasSubstr("decoder: type: 'WordPiece'"));
  EXPECT_THAT(refusal({.decoder = "null"}), HasSubstr("decoder"));
  EXPECT_THAT(refusal({.pre_tokenizer = "null"}), HasSubstr("pre_tokenizer"));
  EXPECT_THAT(refusal({.version = R"("2.0")"}), HasSubstr("version"));
  EXPECT_THAT(refusal({.more = R"(,"surprise":1)"}), HasSubstr("surprise"));
  for (const char* option : {R"(,"dropout":0.1)", R"(,"byte_fallback":true)", R"(,"end_of_word_suffix":"</w>")",
                             R"(,"continuing_subword_prefix":"##")", R"(,"x":1)"}) {
    EXPECT_THAT(refusal({.options = option}), HasSubstr("file: model: ")) << option;
  }
  EXPECT_THAT(error_of([] {
                Tokenizer::parse(R"({"version":"1.0","model":{"type":"WordLevel"},"pre_tokenizer":)" +
                                     TokenizerText().pre_tokenizer + "}",
                                 "file");
              }).what(),
              HasSubstr("model: type: 'WordLevel'"));
}

TEST(Tokenizer, SplittingThatIsNotSupportedIsRefused) {
  const auto split = [](const std::string& pattern, const std::string& behavior, const std::string& invert) {
    return TokenizerText{.pre_tokenizer = R"({"type":"Split","pattern":)" + pattern + R"(,"behavior":")" + behavior +
                                          R"(","invert":)" + invert + "}"};
  };
  EXPECT_THAT(refusal(split(R"({"Regex":"a"})", "Removed", "false")), HasSubstr("behavior"));
  EXPECT_THAT(refusal(split(R"({"Regex":"a"})", "Isolated", "true")), HasSubstr("invert"));
  EXPECT_THAT(refusal(split(R"({"String":""})", "Isolated", "false")), HasSubstr("String: empty"));
  EXPECT_THAT(refusal(split(R"({"String":"a","Regex":"a"})", "Isolated", "false")), HasSubstr("String"));
  EXPECT_THAT(refusal(split(R"({"Regex":"a("})", "Isolated", "false")), HasSubstr("pattern"));
}

TEST(Tokenizer, DamagedVocabulariesAreRefused) {
  for (const char* vocab : {R"({"a":-1})", R"({"a":1.5})", R"({"a":"0"})", R"({"a":99999999})", R"({"a":0,"b":0})",
                            R"({"a":0,"a":1})", "[]", "null"}) {
    EXPECT_NE(refusal({.vocab = vocab, .merges = "[]"}), "no error") << vocab;
  }
  for (const char* merges : {R"([["a","x"]])", R"([["b","a"]])", R"([["a"]])", R"(["ab"])", R"(["a b c"])", "[1]", "{}",
                             R"([["","a"]])", "null"}) {
    EXPECT_THAT(refusal({.merges = merges}), HasSubstr("merges")) << merges;
  }
}

TEST(Tokenizer, DamagedAddedTokensAreRefused) {
  const auto token = [](const std::string& id, const std::string& content) {
    return R"({"id":)" + id + R"(,"content":)" + content +
           R"(,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true})";
  };
  EXPECT_EQ(parse({.added_tokens = "[" + token("6", R"("<x>")") + "," + token("0", R"("a")") + "]"}).vocab_size(), 7u);
  for (const std::string& list : {token("7", R"("<x>")"), token("1", R"("a")"), token("6", R"("")"), token("6", "1"),
                                  token("-1", R"("<x>")"), token("6", R"("<x>")") + "," + token("6", R"("<x>")"),
                                  std::string(R"({"id":6,"content":"<x>"})"), std::string("1")}) {
    EXPECT_THAT(refusal({.added_tokens = "[" + list + "]"}), HasSubstr("added_tokens")) << list;
  }
}

TEST(Tokenizer, DamagedFilesAreRefused) {
  std::mt19937 random(4);
  const std::string whole = TokenizerText().str();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(error_of([&] { Tokenizer::parse(whole.substr(0, size), "file"); }).code(), ExitCode::bad_data) << size;
  }
  int accepted = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::string damaged = whole;
    for (std::size_t edits = 1 + random() % 3; edits > 0; --edits)
      damaged[random() % damaged.size()] ^= 1u << random() % 8;
    try {
      Tokenizer::parse(damaged, "file").encode("abcabc \n12");
      ++accepted;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ExitCode::bad_data) << error.what();
    }
  }
  EXPECT_GT(accepted, 0);  // renamed tokens
  EXPECT_EQ(error_of([] { Tokenizer::load("/nonexistent/tokenizer.json"); }).code(), ExitCode::input_missing);
}

}  // namespace
}  // namespace trireme
