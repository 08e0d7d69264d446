// Tokenizers that come from SentencePiece: Gemma's BPE with byte fallback, XLM-R's Unigram, and what stands around a
// text.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "common/errors.h"
#include "common/tokenizer/normalizer.h"
#include "common/tokenizer/tokenizer.h"
#include "common/utf8.h"
#include "tests/common/error_of.h"
#include "tests/common/tokenizer/fixtures.h"

namespace trireme {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(GemmaTokenizer, AgreesWithTheReferenceOnHardTexts) {
  const char* file = std::getenv("TRIREME_GEMMA_TOKENIZER");
  if (file == nullptr) GTEST_SKIP() << "TRIREME_GEMMA_TOKENIZER does not name Gemma 3's tokenizer.json";
  const Tokenizer tokenizer = Tokenizer::load(file);
  EXPECT_EQ(tokenizer.vocab_size(), 262145u);
  expect_golden(tokenizer, "tokenizer_gemma3.jsonl", 400);
}

TEST(UnigramTokenizer, AgreesWithTheReferenceOnHardTexts) {
  expect_golden(xlmr_tokenizer(), "tokenizer_xlmr.jsonl", 400);
}

TEST(UnigramTokenizer, AgreesWithTheReferenceInTheLayoutOfLaterConverters) {
  nlohmann::json content = parse_json(read_compressed("tests/golden/tokenizer_xlmr.json.gz"), "xlmr");
  content["normalizer"] = {{"type", "Sequence"},
                           {"normalizers",
                            {content["normalizer"],
                             {{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}},
                             {{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", "▁"}}}}};
  content["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}, {"split", true}};
  content["decoder"] = content["pre_tokenizer"];
  const Tokenizer tokenizer = Tokenizer::parse(content.dump(), "later");
  for (const nlohmann::json& line : golden_lines("tokenizer_xlmr.jsonl")) {
    if (!line.contains("text")) continue;
    const auto ids = line.at("later").get<std::vector<int>>();
    EXPECT_EQ(tokenizer.encode(line.at("text").get<std::string>()), ids) << line.at("text");
    EXPECT_EQ(tokenizer.decode(ids, false), line.at("later_decoded").get<std::string>()) << line.at("text");
  }
}

// utf8proc follows another version of Unicode than the reference; only clusters of up to five bytes tell.
TEST(UnigramTokenizer, TakesTheSameMarksTogetherWithTheirLetter) {
  const nlohmann::json content = parse_json(read_compressed("tests/golden/tokenizer_xlmr.json.gz"), "xlmr");
  const auto normalizer = make_normalizer(JsonObject(content.at("normalizer"), "xlmr"));
  nlohmann::json runs = nlohmann::json::array();
  for (char32_t c = 0x80; c < 0x10000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string alone;
    append_code_point(alone, c);
    if (normalizer->normalize("ª" + alone) == "a" + normalizer->normalize(alone)) continue;
    if (!runs.empty() && runs.back()[1] == c - 1) {
      runs.back()[1] = c;
    } else {
      runs.push_back({c, c});
    }
  }
  EXPECT_EQ(runs, parse_json(read_file(golden_file("tokenizer_xlmr_marks.json"), 1 << 20), "marks"));
}

/// A text without table, words cut at blanks.
std::string unigram(const std::string& vocab, const std::string& options) {
  return R"({"version":"1.0","added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"WhitespaceSplit"},)"
         R"("decoder":{"type":"Fuse"},"model":{"type":"Unigram","vocab":)" +
         vocab + options + "}}";
}

TEST(UnigramTokenizer, TakesTheBestSumOfScoresAndTheFirstOfEquals) {
  const Tokenizer best = Tokenizer::parse(
      unigram(R"([["<unk>",0],["a",-1],["b",-1],["ab",-3],["abc",-2],["c",-5]])", R"(,"unk_id":0)"), "file");
  EXPECT_THAT(best.encode("ab"), ElementsAre(1, 2));
  EXPECT_THAT(best.encode("abc ab"), ElementsAre(4, 1, 2));
  const Tokenizer equal =
      Tokenizer::parse(unigram(R"([["<unk>",0],["a",-1],["b",-1],["ab",-2]])", R"(,"unk_id":0)"), "file");
  EXPECT_THAT(equal.encode("ab"), ElementsAre(3));
}

TEST(UnigramTokenizer, CharactersBeyondTheVocabularyBecomeOneUnknownTokenBytesOrAnError) {
  const std::string vocab = R"([["<unk>",0],["a",-1]])";
  EXPECT_THAT(Tokenizer::parse(unigram(vocab, R"(,"unk_id":0)"), "file").encode("axya z"), ElementsAre(1, 0, 1, 0));
  EXPECT_THROW(Tokenizer::parse(unigram(vocab, ""), "file").encode("ax"), ItemError);
  std::string bytes = R"([["a",-1])";
  for (int byte = 0; byte < 256; ++byte) {
    char entry[20];
    std::snprintf(entry, sizeof entry, R"(,["<0x%02X>",-5])", byte);
    bytes += entry;
  }
  const Tokenizer fallback = Tokenizer::parse(unigram(bytes + "]", R"(,"byte_fallback":true)"), "file");
  EXPECT_THAT(fallback.encode("aé"), ElementsAre(0, 1 + 0xC3, 1 + 0xA9));
  EXPECT_EQ(error_of([&] { Tokenizer::parse(unigram(vocab, R"(,"byte_fallback":true)"), "file"); }).code(),
            ExitCode::bad_data);
}

TEST(UnigramTokenizer, DamagedVocabulariesAndTablesAreRefused) {
  for (const char* vocab : {"{}", "[1]", R"([["a"]])", R"([[1,2]])", R"([["a","b"]])", R"([["a",0],["a",1]])"}) {
    EXPECT_THAT(error_of([&] { Tokenizer::parse(unigram(vocab, ""), "file"); }).what(), HasSubstr("vocab")) << vocab;
  }
  EXPECT_THAT(error_of([&] { Tokenizer::parse(unigram(R"([["a",0]])", R"(,"unk_id":1)"), "file"); }).what(),
              HasSubstr("unk_id"));
  for (const char* table : {"x", "AAAA", "////", "BAAAAA==", "CAAAAAAAAAA=", "BAAAAAAAAAD//w==", "AA=A"}) {
    const nlohmann::json json{{"type", "Precompiled"}, {"precompiled_charsmap", table}};
    EXPECT_EQ(error_of([&] { make_normalizer(JsonObject(json, "file")); }).code(), ExitCode::bad_data) << table;
  }
  // A trie that leads nowhere replaces nothing.
  const nlohmann::json json{{"type", "Precompiled"}, {"precompiled_charsmap", "BAAAAP////8A"}};
  EXPECT_EQ(make_normalizer(JsonObject(json, "file"))->normalize("a\u0301b"), "a\u0301b");
}

TokenizerText with_template(const std::string& single) {
  return {.post_processor = R"({"type":"TemplateProcessing","single":)" + single +
                            R"(,"pair":[],"special_tokens":{"x":{"id":"x","ids":[2,1],"tokens":["c","b"]}}})"};
}

TEST(TokenTemplate, StandsAroundTheTextAndTheTextGivesWay) {
  const std::string special = R"({"SpecialToken":{"id":"x","type_id":0}})",
                    text = R"({"Sequence":{"id":"A","type_id":0}})";
  const Tokenizer both =
      Tokenizer::parse(with_template("[" + special + "," + text + "," + special + "]").str(), "file");
  EXPECT_THAT(both.encode("abca"), ElementsAre(5, 0));
  EXPECT_THAT(both.encode_templated("abca", 10), ElementsAre(2, 1, 5, 0, 2, 1));
  EXPECT_THAT(both.encode_templated("abca", 5), ElementsAre(2, 1, 5, 2, 1));
  EXPECT_THAT(both.encode_templated("abca", 3), ElementsAre(2, 1, 2, 1));
  const Tokenizer none = Tokenizer::parse(TokenizerText{}.str(), "file");
  EXPECT_THAT(none.encode_templated("abca", 10), ElementsAre(5, 0));
  EXPECT_THAT(none.encode_templated("abca", 1), ElementsAre(5));
  EXPECT_THAT(none.encode_templated("", 1), IsEmpty());
  TokenizerText nested;
  nested.post_processor = R"({"type":"Sequence","processors":[)" +
                          with_template("[" + text + "," + special + "]").post_processor +
                          R"(,{"type":"ByteLevel","trim_offsets":false},)" +
                          with_template("[" + special + "," + text + "]").post_processor + "]}";
  EXPECT_THAT(Tokenizer::parse(nested.str(), "file").encode_templated("a", 9), ElementsAre(2, 1, 0, 2, 1));
}

TEST(TokenTemplate, KindsAndPartsThatAreNotKnownAreRefused) {
  const auto refusal = [](const TokenizerText& text) {
    const Error error = error_of([&] { Tokenizer::parse(text.str(), "file"); });
    EXPECT_EQ(error.code(), ExitCode::bad_data);
    return std::string(error.what());
  };
  EXPECT_THAT(refusal({.post_processor = R"({"type":"BertProcessing"})"}), HasSubstr("post_processor: type: 'Bert"));
  EXPECT_THAT(refusal(with_template("[]")), HasSubstr("single"));
  EXPECT_THAT(refusal(with_template(R"([{"Sequence":{"id":"B"}}])")), HasSubstr("Sequence"));
  EXPECT_THAT(refusal(with_template(R"([{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"y"}}])")), HasSubstr("y"));
}

}  // namespace
}  // namespace trireme
