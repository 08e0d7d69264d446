#include "launcher/tokenize.h"

#include <gtest/gtest.h>

#include <sstream>

#include "common/errors.h"
#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

const Tokenizer& tokenizer() {
  static const Tokenizer result = Tokenizer::load(TRIREME_SOURCE_DIR "/tests/golden/tokenizer_flags.json");
  return result;
}

std::string output(const std::string& name, std::string_view contents) {
  const TemporaryFolder folder;
  std::ostringstream out;
  tokenize_file(tokenizer(), folder.write(name, contents), out);
  return out.str();
}

Error failure(const std::string& name, std::string_view contents) {
  return error_of([&] { output(name, contents); });
}

TEST(Tokenize, JsonLinesKeepTheirIds) {
  EXPECT_EQ(output("x.jsonl", R"({"id":"a","text":"<left>the"})"
                              "\r\n\n"
                              R"({"text":"","id":7})"),
            R"({"id":"a","ids":[287,296],"decoded":"<left>the"})"
            "\n"
            R"({"id":7,"ids":[],"decoded":""})"
            "\n");
}

TEST(Tokenize, ControlCharactersAreText) {
  EXPECT_EQ(output("x.jsonl", R"({"id":"a","text":"\u0000\n\u2028"})"),
            R"({"id":"a","ids":[220,188,198,158,222,101],"decoded":" \u0000\n\u2028"})"
            "\n");
}

TEST(Tokenize, PlainTextGivesIdsPerLine) {
  EXPECT_EQ(output("x.txt", "the\r\n\n<left><right>\nthe"), "296\n\n287 288\n296\n");
  EXPECT_EQ(output("x.txt", ""), "");
}

TEST(Tokenize, BadLinesAreNamed) {
  EXPECT_EQ(failure("x.txt", "fine\n\xff\n").code(), ExitCode::bad_data);
  EXPECT_NE(std::string(failure("x.txt", "fine\n\xff\n").what()).find("x.txt:2: "), std::string::npos);
  for (const char* line :
       {"{", "[]", R"({"id":"a"})", R"({"text":"a"})", R"({"id":1.5,"text":"a"})", R"({"id":"a","text":1})",
        "{\"id\":\"a\",\"text\":\"\xff\"}", R"({"id":"a","text":"\ud800"})"}) {
    const Error error = failure("x.jsonl", "\n" + std::string(line) + "\n");
    EXPECT_EQ(error.code(), ExitCode::bad_data) << line;
    EXPECT_NE(std::string(error.what()).find("x.jsonl:2"), std::string::npos) << error.what();
  }
  EXPECT_EQ(error_of([] { tokenize_file(tokenizer(), "/nonexistent", std::cout); }).code(), ExitCode::input_missing);
}

TEST(Tokenize, FindsTheTokenizerOfAModel) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "tokenizer");
  std::filesystem::create_directory(folder / "tokenizer_2");
  EXPECT_EQ(error_of([&] { find_tokenizer(folder.path(), ""); }).code(), ExitCode::input_missing);
  const auto second = folder.write("tokenizer_2/tokenizer.json", "{}");
  EXPECT_EQ(find_tokenizer(folder.path(), "tokenizer_2"), second);
  EXPECT_EQ(error_of([&] { find_tokenizer(folder.path(), "absent"); }).code(), ExitCode::input_missing);
  const auto inside = folder.write("tokenizer/tokenizer.json", "{}");
  EXPECT_EQ(find_tokenizer(folder.path(), ""), inside);
  const auto top = folder.write("tokenizer.json", "{}");
  EXPECT_EQ(find_tokenizer(folder.path(), ""), top);
}

}  // namespace
}  // namespace trireme
