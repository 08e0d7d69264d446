#pragma once
// Tokenizers and golden files of the tests, read once a test.

#include <string>
#include <string_view>
#include <vector>

#include "common/files.h"
#include "common/json.h"
#include "common/tokenizer/tokenizer.h"

namespace trireme {

/// The contents of a gzip file under the source folder.
std::string read_compressed(const std::string& file);
const Tokenizer& qwen3_tokenizer();
const Tokenizer& flags_tokenizer();
const Tokenizer& xlmr_tokenizer();

inline std::string golden_file(const std::string& name) {
  return std::string(TRIREME_SOURCE_DIR) + "/tests/golden/" + name;
}
/// The lines of a .jsonl file of tests/golden.
std::vector<nlohmann::json> golden_lines(const std::string& name);

/// Every line of a golden file, exactly: texts to ids (`whole`: with the template), ids to texts (`plain`: without
/// special tokens).
void expect_golden(const Tokenizer& tokenizer, const std::string& name, std::size_t at_least);

/// tokenizer.json of a model without merges over the bytes, with the given parts instead of the usual ones.
struct TokenizerText {
  std::string version = R"("1.0")";
  std::string normalizer = R"({"type":"NFC"})";
  std::string pre_tokenizer = R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false})";
  std::string decoder = R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false})";
  std::string added_tokens = "[]";
  std::string options = "";  // of the model: R"(,"dropout":0.1)"
  std::string vocab = R"({"a":0,"b":1,"c":2,"ab":3,"bc":4,"abc":5})";
  std::string merges = R"([["a","b"],["ab","c"],["b","c"]])";
  std::string post_processor = "null";
  std::string more = "";  // at the end of the file
  std::string str() const;
};

}  // namespace trireme
