#include "common/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "common/errors.h"
#include "common/files.h"
#include "common/sha256.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class Prompts : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, std::string_view bytes) const {
    write_file(folder_ / name, bytes, Durability::renamed);
    return folder_ / name;
  }

  std::vector<Item> read(const std::string& name, std::string_view text) {
    job_.file = "job.yaml";
    job_.input.prompts = write(name, text);
    return read_items(job_, defaults_);
  }
  std::vector<Item> jsonl(std::string_view text) { return read("p.jsonl", text); }
  std::vector<Item> txt(std::string_view text) { return read("p.txt", text); }

  template <class Call>
  std::string error_of(Call call, ExitCode code = ExitCode::bad_data) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      const std::string message = error.what(), folder = folder_.path().string() + "/";
      return message.starts_with(folder) ? message.substr(folder.size()) : message;
    }
    ADD_FAILURE() << "no error";
    return "";
  }
  std::string jsonl_error(std::string_view text) {
    return error_of([&] { jsonl(text); });
  }

  const TemporaryFolder folder_;
  Job job_;
  SamplingDefaults defaults_{.steps = 8, .guidance = 0, .shift = 3, .size_multiple = 16};
};

std::vector<std::string> ids(const std::vector<Item>& items) {
  std::vector<std::string> all;
  for (const Item& item : items) all.push_back(item.id);
  return all;
}

TEST_F(Prompts, ReadsOnePromptALineAndNumbersThemByLine) {
  const auto items =
      txt("\xEF\xBB\xBF"
          "a cat\r\n\n  \t\r\n un chat é \nlast");
  EXPECT_EQ(ids(items), (std::vector<std::string>{"000001", "000004", "000005"}));
  EXPECT_EQ(items[0].prompt, "a cat");
  EXPECT_EQ(items[1].prompt, " un chat é ");
  EXPECT_EQ(items[2].prompt, "last");
  EXPECT_EQ(items[2].index, 2u);
}

TEST_F(Prompts, TakesAnEmptyFileAsNoItems) {
  EXPECT_TRUE(txt("").empty());
  EXPECT_TRUE(txt("\n\r\n  ").empty());
  EXPECT_TRUE(jsonl("\xEF\xBB\xBF").empty());
}

TEST_F(Prompts, FillsValuesFromItemThenJobThenCheckpoint) {
  job_.sampling.guidance = 2.5;
  job_.sampling.width = 512;
  job_.sampling.negative_prompt = "blur";
  const auto items = jsonl(
      "{\"prompt\": \"a\"}\r\n\r\n"
      "{\"id\": \"b.1\", \"prompt\": \"\", \"width\": 64, \"height\": 32, \"steps\": 3, \"guidance\": 1, \"seed\": "
      "18446744073709551615, \"negative_prompt\": \"\", \"cfg_truncation\": 0.5, \"cfg_normalization\": 1, \"shift\": "
      "6}");
  ASSERT_EQ(ids(items), (std::vector<std::string>{"000001", "b.1"}));
  EXPECT_EQ(items[0].width, 512);
  EXPECT_EQ(items[0].height, 1024);
  EXPECT_EQ(items[0].steps, 8);
  EXPECT_EQ(items[0].guidance, 2.5);
  EXPECT_EQ(items[0].shift, 3);
  EXPECT_EQ(items[0].negative_prompt, "blur");
  EXPECT_EQ(items[0].seed, seed_of(0, "000001"));
  EXPECT_EQ(items[1].prompt, "");
  EXPECT_EQ(items[1].width, 64);
  EXPECT_EQ(items[1].height, 32);
  EXPECT_EQ(items[1].steps, 3);
  EXPECT_EQ(items[1].guidance, 1);
  EXPECT_EQ(items[1].seed, UINT64_MAX);
  EXPECT_EQ(items[1].negative_prompt, "");
  EXPECT_EQ(items[1].cfg_truncation, 0.5);
  EXPECT_EQ(items[1].cfg_normalization, 1);
  EXPECT_EQ(items[1].shift, 6);
}

TEST_F(Prompts, KeepsNulInsideAJsonString) {
  EXPECT_EQ(jsonl(R"({"prompt": "a\u0000b"})")[0].prompt, std::string("a\0b", 3));
}

TEST_F(Prompts, TakesTheDefaultSeedFromTheDocumentedHash) {
  EXPECT_EQ(seed_of(7, "cat"), std::stoull(sha256_hex("trireme seed\n7\ncat").substr(0, 16), nullptr, 16) >> 11);
  EXPECT_EQ(seed_of(0, "000001"), 5287943191490301u);
  EXPECT_NE(seed_of(1, "000001"), seed_of(0, "000001"));
  EXPECT_LT(seed_of(UINT64_MAX, "x"), 1ull << 53);
}

TEST_F(Prompts, MakesSeveralImagesOfAPrompt) {
  job_.sampling.images_per_prompt = 2;
  const auto items =
      jsonl("{\"id\":\"a\",\"prompt\":\"x\",\"seed\":\"9\"}\n{\"id\":\"b\",\"prompt\":\"y\",\"images_per_prompt\":1}");
  EXPECT_EQ(ids(items), (std::vector<std::string>{"a_0", "a_1", "b"}));
  EXPECT_EQ(items[0].seed, 9u);
  EXPECT_EQ(items[1].seed, 10u);
  EXPECT_EQ(items[2].index, 2u);
  EXPECT_EQ(txt("p")[1].seed, seed_of(0, "000001") + 1);
  EXPECT_THAT(jsonl_error("{\"id\":\"a_1\",\"prompt\":\"x\",\"images_per_prompt\":1}\n{\"id\":\"a\",\"prompt\":\"y\"}"),
              StartsWith("p.jsonl:2: id: duplicate 'a_1', first on line 1"));
  EXPECT_THAT(jsonl_error("{\"prompt\":\"x\",\"seed\":18446744073709551615}"), StartsWith("p.jsonl:1: seed: "));
}

TEST_F(Prompts, RefusesIdsThatAreNoSafeNames) {
  for (const char* id : {"", ".", "..", ".a", "-a", "a/b", "a\\\\b", "a b", "é", "a\\u0000", "a\\n", "a:b", "~"}) {
    EXPECT_THAT(jsonl_error("{\"prompt\":\"x\",\"id\":\"" + std::string(id) + "\"}"), StartsWith("p.jsonl:1: id: '"));
  }
  EXPECT_THAT(jsonl_error("{\"prompt\":\"x\",\"id\":\"" + std::string(101, 'a') + "\"}"),
              EndsWith("more than 100 characters"));
  EXPECT_NO_THROW(jsonl("{\"prompt\":\"x\",\"id\":\"" + std::string(100, 'a') + "\"}"));
  EXPECT_THAT(jsonl_error("{\"prompt\":\"x\",\"id\":5}"), StartsWith("p.jsonl:1: id: not a string"));
}

TEST_F(Prompts, RefusesIdsThatAFileSystemMayConfuse) {
  EXPECT_THAT(jsonl_error("{\"id\":\"a\",\"prompt\":\"x\"}\n\n{\"id\":\"a\",\"prompt\":\"y\"}"),
              StartsWith("p.jsonl:3: id: duplicate 'a', first on line 1"));
  EXPECT_THAT(jsonl_error("{\"id\":\"Ab\",\"prompt\":\"x\"}\n{\"id\":\"aB\",\"prompt\":\"y\"}"),
              StartsWith("p.jsonl:2: id: 'aB' differs only by case from 'Ab' on line 1"));
  EXPECT_THAT(jsonl_error("{\"id\":\"000002\",\"prompt\":\"x\"}\n{\"prompt\":\"y\"}"), HasSubstr("duplicate '000002'"));
}

TEST_F(Prompts, RefusesBadValuesWithLineAndKey) {
  const std::map<std::string, std::string> bad = {{"\"width\": 1000", "width: 1000 is not a multiple of 16"},
                                                  {"\"width\": 8", "nearest: 16"},
                                                  {"\"height\": 0", "height: 0 is outside 1 to 8192"},
                                                  {"\"height\": 8208", "height: 8208 is outside"},
                                                  {"\"width\": 64.0", "width: not an integer"},
                                                  {"\"width\": \"64\"", "width: not an integer"},
                                                  {"\"width\": null", "width: not an integer"},
                                                  {"\"seed\": -1", "seed: "},
                                                  {"\"seed\": 1.5", "seed: "},
                                                  {"\"seed\": 18446744073709551616", "seed: "},
                                                  {"\"seed\": \"abc\"", "seed: "},
                                                  {"\"seed\": true", "seed: "},
                                                  {"\"steps\": 0", "steps: "},
                                                  {"\"steps\": 1001", "steps: "},
                                                  {"\"guidance\": -0.5", "guidance: "},
                                                  {"\"guidance\": 101", "guidance: "},
                                                  {"\"guidance\": \"4\"", "guidance: "},
                                                  {"\"shift\": 0", "shift: "},
                                                  {"\"cfg_truncation\": 2", "cfg_truncation: "},
                                                  {"\"images_per_prompt\": 0", "images_per_prompt: "},
                                                  {"\"negative_prompt\": 5", "negative_prompt: "},
                                                  {"\"negative_prompt\": null", "negative_prompt: "},
                                                  {"\"widht\": 64", "widht: unknown key; did you mean 'width'?"}};
  for (const auto& [pair, message] : bad) {
    EXPECT_THAT(jsonl_error("{\"prompt\": \"ok\"}\n{\"prompt\": \"x\", " + pair + "}"),
                AllOf(StartsWith("p.jsonl:2: "), HasSubstr(message)));
  }
  for (const char* key : {"images", "messages", "system", "max_new_tokens", "temperature"}) {
    EXPECT_EQ(jsonl_error("{\"prompt\": \"x\", \"" + std::string(key) + "\": 1}"),
              "p.jsonl:1: " + std::string(key) + ": only models that write text have it");
  }
  EXPECT_EQ(jsonl_error("{\"id\": \"a\"}"), "p.jsonl:1: prompt: missing");
  EXPECT_THAT(jsonl_error("{\"prompt\": null}"), StartsWith("p.jsonl:1: prompt: not a string"));
}

TEST_F(Prompts, RefusesDamagedLines) {
  EXPECT_THAT(jsonl_error("{\"prompt\": \"x\"}\n{\"prompt\": "), StartsWith("p.jsonl:2:"));
  EXPECT_THAT(jsonl_error("{\"prompt\": \"x\"} {}"), StartsWith("p.jsonl:1:17: "));
  EXPECT_THAT(jsonl_error("[1]"), StartsWith("p.jsonl:1: not a JSON object"));
  EXPECT_THAT(jsonl_error("{\"prompt\": \"x\", \"prompt\": \"y\"}"), HasSubstr("duplicate key 'prompt'"));
  EXPECT_EQ(jsonl_error("{\"prompt\": \"x\"}\n{\"prompt\": \"\xff\"}"), "p.jsonl:2:13: invalid UTF-8");
  EXPECT_EQ(error_of([&] { txt("ok\nab\xc3("); }), "p.txt:2:3: invalid UTF-8");
  EXPECT_THAT(error_of([&] { txt(std::string_view("a\0b", 3)); }), StartsWith("p.txt:1:2: NUL byte"));
  EXPECT_THAT(error_of([&] {
                txt(
                    std::string_view("\xff\xfe"
                                     "a\0",
                                     4));
              }),
              HasSubstr("UTF-16"));
}

TEST_F(Prompts, BlamesTheJobFileForItsOwnSize) {
  job_.sampling.height = 1000;
  EXPECT_THAT(error_of([&] { txt("a"); }, ExitCode::config),
              StartsWith("job.yaml: sampling.height: 1000 is not a multiple"));
  EXPECT_EQ(jsonl("{\"prompt\": \"x\", \"height\": 16}").size(), 1u);
}

TEST_F(Prompts, RefusesFilesItCannotRead) {
  error_of([&] { read("p.csv", "a"); }, ExitCode::config);
  job_.input.prompts = folder_ / "none.txt";
  EXPECT_THAT(error_of([&] { read_items(job_, defaults_); }, ExitCode::input_missing), HasSubstr("none.txt"));
  std::filesystem::create_directory(folder_ / "folder.txt");
  job_.input.prompts = folder_ / "folder.txt";
  error_of([&] { read_items(job_, defaults_); }, ExitCode::input_missing);
}

TEST_F(Prompts, KeepsIdsOfConstantWidthInLongFiles) {
  const auto items = txt("x\n" + std::string(999'999, '\n') + "x");
  EXPECT_EQ(ids(items), (std::vector<std::string>{"0000001", "1000001"}));
}

}  // namespace
}  // namespace trireme
