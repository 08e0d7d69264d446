#include "common/conversation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/errors.h"
#include "common/files.h"
#include "common/prompts.h"
#include "common/sha256.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using Kind = ContentPart::Kind;

/// Prompts for a model that writes text, beside a folder `pictures` and a file `outside.png`.
class TextPrompts : public testing::Test {
 protected:
  TextPrompts() {
    fs::create_directories(folder_ / "in/pictures");
    write("in/pictures/a.png", "a's bytes");
    write("in/b.jpg", "b's bytes");
    write("outside.png", "secret");
    job_.file = "job.yaml";
    defaults_.makes = Makes::text;
    defaults_.temperature = 0.1;
    defaults_.repetition_penalty = 1.05;
  }
  fs::path write(const std::string& name, std::string_view bytes) const {
    write_file(folder_ / name, bytes, Durability::renamed);
    return folder_ / name;
  }
  std::vector<Item> read(std::string_view lines, const std::string& name = "in/p.jsonl") {
    job_.input.prompts = write(name, lines);
    return read_items(job_, defaults_);
  }
  Item one(std::string_view line) { return read(line).at(0); }
  std::string refusal(std::string_view line, ExitCode code = ExitCode::bad_data) {
    try {
      read(line);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), code) << e.what();
      return e.what();
    }
    ADD_FAILURE() << "taken: " << line;
    return "";
  }
  static ContentPart words(const std::string& text) { return {Kind::text, text, 0}; }
  static ContentPart picture(std::uint32_t index) { return {Kind::image, "", index}; }

  const TemporaryFolder folder_;
  Job job_;
  SamplingDefaults defaults_;
};

}  // namespace

TEST_F(TextPrompts, PutPicturesBeforeThePromptAndTheSystemFirst) {
  const Item item = one(R"({"prompt": "what?", "images": ["pictures/a.png", "b.jpg"], "system": "be brief"})");
  EXPECT_EQ(item.messages, (std::vector<ChatMessage>{{"system", {words("be brief")}},
                                                     {"user", {picture(0), picture(1), words("what?")}}}));
  ASSERT_EQ(item.images.size(), 2u);
  EXPECT_EQ(item.images[0].name, "pictures/a.png");
  EXPECT_EQ(item.images[0].sha256, sha256_hex("a's bytes"));
  EXPECT_EQ(item.images[0].bytes, 9u);
  EXPECT_EQ(item.images[0].data, "") << "read when the unit is handed out";
  EXPECT_EQ(item.error, "");
  EXPECT_EQ(item.width, 0);
}

TEST_F(TextPrompts, TakeMessagesAsTheyAre) {
  const Item item = one(R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "before"}, )"
                        R"({"type": "image", "image": "b.jpg"}, {"type": "text", "text": "after"}]}, )"
                        R"({"role": "assistant", "content": "a cat"}, {"role": "user", "content": "sure?"}]})");
  EXPECT_EQ(item.messages, (std::vector<ChatMessage>{{"user", {words("before"), picture(0), words("after")}},
                                                     {"assistant", {words("a cat")}},
                                                     {"user", {words("sure?")}}}));
}

TEST_F(TextPrompts, ReadPlainLinesToo) {
  job_.sampling.system_prompt = "in French";
  const auto items = read("a cat\nun chat\n", "in/p.txt");
  EXPECT_EQ(items.at(1).messages,
            (std::vector<ChatMessage>{{"system", {words("in French")}}, {"user", {words("un chat")}}}));
}

TEST_F(TextPrompts, FillSamplingFromLineThenJobThenCheckpoint) {
  job_.sampling.top_p = 0.5;
  job_.sampling.max_new_tokens = 7;
  const Item plain = one(R"({"prompt": "x"})");
  EXPECT_EQ(plain.temperature, 0.1);
  EXPECT_EQ(plain.top_p, 0.5);
  EXPECT_EQ(plain.top_k, 50);
  EXPECT_EQ(plain.repetition_penalty, 1.05);
  EXPECT_EQ(plain.max_new_tokens, 7);
  const Item own = one(
      R"({"prompt": "x", "temperature": 0, "top_p": 1, "top_k": 3, "repetition_penalty": 2, "seed": 4, "max_new_tokens": 9})");
  EXPECT_EQ(own.temperature, 0);
  EXPECT_EQ(own.top_p, 1);
  EXPECT_EQ(own.top_k, 3);
  EXPECT_EQ(own.repetition_penalty, 2);
  EXPECT_EQ(own.max_new_tokens, 9);
  EXPECT_EQ(own.seed, 4u);
}

TEST_F(TextPrompts, AnEmptyQuestionFailsItsItemOnly) {
  for (const char* line : {R"({"prompt": ""})", R"({"prompt": "", "system": "be brief"})", R"({"messages": []})",
                           R"({"messages": [{"role": "user", "content": []}]})",
                           R"({"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": ""}]})"}) {
    EXPECT_THAT(one(line).error, HasSubstr("an empty prompt without pictures")) << line;
  }
  EXPECT_EQ(one(R"({"prompt": "", "images": ["b.jpg"]})").error, "");
  EXPECT_EQ(one(R"({"images": ["b.jpg"]})").error, "");
  EXPECT_EQ(one(R"({"prompt": " "})").error, "");
}

TEST_F(TextPrompts, FilesThatCannotBeReadFailTheirItemOnly) {
  fs::create_directory(folder_ / "in/folder.png");
  ASSERT_EQ(mkfifo((folder_ / "in/pipe.png").c_str(), 0600), 0);
  ASSERT_EQ(truncate(write("in/large.png", "").c_str(), kMaxImageBytes + 1), 0);
  EXPECT_THAT(one(R"({"prompt": "x", "images": ["none.png"]})").error, StartsWith("picture none.png: no such file"));
  EXPECT_EQ(one(R"({"prompt": "x", "images": ["folder.png"]})").error, "picture folder.png: not a file");
  EXPECT_EQ(one(R"({"prompt": "x", "images": ["pipe.png"]})").error, "picture pipe.png: not a file");
  EXPECT_EQ(one(R"({"prompt": "x", "images": ["large.png"]})").error,
            "picture large.png: 67108865 bytes, at most 67108864 are taken");
}

TEST_F(TextPrompts, PathsStayInsideTheRoot) {
  fs::create_symlink(folder_ / "outside.png", folder_ / "in/link.png");
  fs::create_symlink(folder_ / "in/b.jpg", folder_ / "in/inner.jpg");
  fs::create_symlink(folder_.path(), folder_ / "in/up");
  const std::string absolute = (folder_ / "in/b.jpg").string(), out = (folder_ / "outside.png").string();
  for (const std::string name : {"b.jpg", "./pictures/../b.jpg", "inner.jpg", "../in/b.jpg", absolute.c_str()}) {
    EXPECT_EQ(one(R"({"prompt": "x", "images": [")" + name + R"("]})").error, "") << name;
  }
  for (const std::string name :
       {"../outside.png", "link.png", "up/outside.png", "up/none.png", "..", "/etc/passwd", out.c_str()}) {
    EXPECT_THAT(refusal(R"({"prompt": "x", "images": [")" + name + R"("]})"),
                AllOf(HasSubstr("p.jsonl:1: images: '" + name + "'"), HasSubstr("leads out of")))
        << name;
  }
  for (const char* name : {"https://example.org/a.png", "http://a/b", "HTTPS://a/b", "data:image/png;base64,AAAA",
                           "file:///etc/passwd", "ftp://a"}) {
    EXPECT_THAT(refusal(R"({"prompt": "x", "images": [")" + std::string(name) + R"("]})"), HasSubstr("is a URL"));
  }
  EXPECT_THAT(refusal(R"({"prompt": "x", "images": [""]})"), HasSubstr("an empty path"));
  EXPECT_THAT(refusal(R"({"prompt": "x", "images": ["a\u0000b"]})"), HasSubstr("NUL"));
}

TEST_F(TextPrompts, AreRelativeToTheRootOfTheJob) {
  job_.input.image_root = folder_ / "in/pictures";
  EXPECT_EQ(one(R"({"prompt": "x", "images": ["a.png"]})").error, "");
  EXPECT_THAT(refusal(R"({"prompt": "x", "images": ["../b.jpg"]})"), HasSubstr("leads out of"));
}

TEST_F(TextPrompts, RefuseWhatIsNotAConversation) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {R"({"images": "b.jpg", "prompt": "x"})", "images: must be a list"},
      {R"({"images": [1], "prompt": "x"})", "images: a picture is the path"},
      {R"({"system": 1, "prompt": "x"})", "system"},
      {R"({})", "prompt: missing"},
      {R"({"messages": "x"})", "messages: must be a list"},
      {R"({"messages": ["x"]})", "messages[0]"},
      {R"({"messages": [], "prompt": "x"})", "prompt: given beside messages"},
      {R"({"messages": [], "system": "x"})", "system: given beside messages"},
      {R"({"messages": [{"role": "usr", "content": "x"}]})", "messages[0]: role: 'usr' is none of"},
      {R"({"messages": [{"role": "user"}]})", "messages[0]: content"},
      {R"({"messages": [{"role": "user", "content": 1}]})", "messages[0]: content: must be a list"},
      {R"({"messages": [{"role": "user", "content": [{"type": "video", "video": "x"}]}]})",
       "messages[0]: content[0]: type: 'video' is not available"},
      {R"({"messages": [{"role": "user", "content": [{"type": "image", "image": "../outside.png"}]}]})",
       "messages[0]: content[0]: image: '../outside.png' leads out of"},
      {R"({"messages": [{"role": "user", "content": "x", "name": "me"}]})", "name"},
      {R"({"prompt": "x", "width": 64})", "width: only models that make pictures have it"},
      {R"({"prompt": "x", "images_per_prompt": 2})", "images_per_prompt: only models that make pictures have it"},
      {R"({"prompt": "x", "top_p": 0})", "top_p: 0 leaves no token"},
      {R"({"prompt": "x", "max_new_tokens": 0})", "max_new_tokens"},
      {R"({"prompt": "x", "temperature": -1})", "temperature"},
      {R"({"prompt": "x", "imges": []})", "did you mean 'images'?"},
  };
  for (const auto& [line, message] : bad) {
    EXPECT_THAT(refusal("{\"prompt\": \"ok\"}\n" + line), AllOf(HasSubstr("p.jsonl:2: "), HasSubstr(message)));
  }
}

TEST_F(TextPrompts, RefuseKeysOfTheOtherKindInTheJob) {
  job_.sampling.steps = 4;
  EXPECT_THAT(refusal(R"({"prompt": "x"})", ExitCode::config), HasSubstr("job.yaml: sampling.steps: only models that"));
  job_.sampling.steps.reset();
  job_.sampling.images_per_prompt = 2;
  EXPECT_THAT(refusal(R"({"prompt": "x"})", ExitCode::config), HasSubstr("sampling.images_per_prompt"));
  job_.sampling.images_per_prompt = 1;
  defaults_.makes = Makes::pictures;
  job_.sampling.temperature = 0.5;
  EXPECT_THAT(refusal(R"({"prompt": "x"})", ExitCode::config),
              HasSubstr("sampling.temperature: only models that write"));
  job_.sampling.temperature.reset();
  job_.dispatch.batch = 2;
  EXPECT_THAT(refusal(R"({"prompt": "x"})", ExitCode::config),
              HasSubstr("dispatch.batch: this model makes one picture at a time"));
}

TEST_F(TextPrompts, PicturesAreReadAgainAndMustBeTheSame) {
  Item item = one(R"({"prompt": "x", "images": ["pictures/a.png", "b.jpg"]})");
  Item changed = item, gone = item;
  read_pictures(item);
  EXPECT_EQ(item.error, "");
  EXPECT_EQ(item.images[0].data, "a's bytes");
  EXPECT_EQ(item.images[1].data, "b's bytes");
  write("in/b.jpg", "other bytes");
  read_pictures(changed);
  EXPECT_THAT(changed.error, StartsWith("picture b.jpg: the file has changed"));
  fs::remove(folder_ / "in/pictures/a.png");
  read_pictures(gone);
  EXPECT_THAT(gone.error, StartsWith("picture pictures/a.png: no such file"));
}

}  // namespace trireme
