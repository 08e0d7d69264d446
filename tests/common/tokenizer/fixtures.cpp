#include "tests/common/tokenizer/fixtures.h"

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

std::vector<nlohmann::json> golden_lines(const std::string& name) {
  std::istringstream stream(read_file(golden_file(name), 1 << 24));
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(parse_json(line, name));
  return lines;
}

std::string TokenizerText::str() const {
  return R"({"version":)" + version + R"(,"truncation":null,"padding":null,"added_tokens":)" + added_tokens +
         R"(,"normalizer":)" + normalizer + R"(,"pre_tokenizer":)" + pre_tokenizer +
         R"(,"post_processor":null,"decoder":)" + decoder + R"(,"model":{"type":"BPE","vocab":)" + vocab +
         R"(,"merges":)" + merges + options + "}" + more + "}";
}

}  // namespace trireme
