#include "tests/common/tokenizer/fixtures.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <memory>
#include <sstream>
#include <stdexcept>

namespace trireme {

std::string read_compressed(const std::string& file) {
  const std::string path = std::string(TRIREME_SOURCE_DIR) + "/" + file;
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> stream(gzopen(path.c_str(), "rb"), gzclose);
  if (!stream) throw std::runtime_error("can't open " + path);
  std::string text, piece(1 << 20, '\0');
  int count = 0;
  while ((count = gzread(stream.get(), piece.data(), static_cast<unsigned>(piece.size()))) > 0)
    text.append(piece, 0, count);
  if (count < 0) throw std::runtime_error("can't decompress " + path);
  return text;
}

const Tokenizer& qwen3_tokenizer() {
  static const Tokenizer tokenizer =
      Tokenizer::parse(read_compressed("tests/data/tokenizers/qwen3.tokenizer.json.gz"), "qwen3");
  return tokenizer;
}

const Tokenizer& flags_tokenizer() {
  static const Tokenizer tokenizer = Tokenizer::load(golden_file("tokenizer_flags.json"));
  return tokenizer;
}

const Tokenizer& xlmr_tokenizer() {
  static const Tokenizer tokenizer = Tokenizer::parse(read_compressed("tests/golden/tokenizer_xlmr.json.gz"), "xlmr");
  return tokenizer;
}

std::vector<nlohmann::json> golden_lines(const std::string& name) {
  std::istringstream stream(read_file(golden_file(name), 1 << 24));
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(parse_json(line, name));
  return lines;
}

void expect_golden(const Tokenizer& tokenizer, const std::string& name, std::size_t at_least) {
  const std::vector<nlohmann::json> lines = golden_lines(name);
  ASSERT_GE(lines.size(), at_least);
  for (const nlohmann::json& line : lines) {
    const auto ids = line.at("ids").get<std::vector<int>>();
    if (line.contains("text")) {
      const auto text = line.at("text").get<std::string>();
      EXPECT_EQ(tokenizer.encode(text), ids) << line.at("id") << " " << line.at("text");
      if (line.contains("whole")) {
        EXPECT_EQ(tokenizer.encode_templated(text, 1 << 20), line.at("whole").get<std::vector<int>>()) << line.at("id");
      }
    }
    EXPECT_EQ(tokenizer.decode(ids, false), line.at("decoded").get<std::string>()) << line.at("id");
    if (line.contains("plain")) {
      EXPECT_EQ(tokenizer.decode(ids, true), line.at("plain").get<std::string>()) << line.at("id");
    }
  }
}

std::string TokenizerText::str() const {
  return R"({"version":)" + version + R"(,"truncation":null,"padding":null,"added_tokens":)" + added_tokens +
         R"(,"normalizer":)" + normalizer + R"(,"pre_tokenizer":)" + pre_tokenizer + R"(,"post_processor":)" +
         post_processor + R"(,"decoder":)" + decoder + R"(,"model":{"type":"BPE","vocab":)" + vocab + R"(,"merges":)" +
         merges + options + "}" + more + "}";
}

}  // namespace trireme
