// A tiny Qwen2.5-VL through the real programs: questions about picture files in, answers out, those of transformers.

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Qwen : public JobTest {
 protected:
  Qwen() { fs::copy(golden_ / "qwen2_5_vl_files", root_ / "in"); }

  /// `lines`: of the prompts file, beside the pictures.
  void ask(const std::string& lines, const std::string& more_yaml) {
    const fs::path prompts = write("in/prompts.jsonl", lines);
    job_ =
        write("job.yaml", "model: {path: " + (golden_ / "qwen2_5_vl_released").string() +
                              "}\noutput: {tensors: true}\ninput: {prompts: " + prompts.string() + "}\n" + more_yaml);
  }
  std::string shipped_lines() const { return text_of(golden_ / "qwen2_5_vl_files/prompts.jsonl"); }
  /// Lines of results.jsonl by id.
  std::map<std::string, json> answers(const std::string& run) const {
    std::map<std::string, json> found;
    std::istringstream lines(text_of(folder(run) / "results.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const json answer = json::parse(line);
      found[answer.at("id")] = answer;
    }
    return found;
  }
  void expect_equal(const std::string& run, const std::string& other) const {
    const Ended verdict = verify(run, other);
    EXPECT_EQ(verdict.code, 0) << run << " and " << other << "\n" << verdict.output;
  }
  int answered(const std::string& run) const {
    std::ifstream file(folder(run) / "journal.jsonl");
    int count = 0;
    for (std::string line; std::getline(file, line);) count += line.find("\"type\":\"item\"") != std::string::npos;
    return count;
  }

  const fs::path golden_ = fs::path(TRIREME_SOURCE_DIR) / "tests/golden";
};

std::string question(const std::string& id, const json& more) {
  json line = {{"id", id}, {"prompt", "what is it?"}};
  line.update(more);
  return line.dump() + "\n";
}

}  // namespace

TEST_F(Qwen, AnswersAboutPictureFilesAreThoseOfTransformers) {
  ask(shipped_lines(), "sampling: {max_new_tokens: 32}\n");
  const Ended ended = run(worker(2, "run"));
  ASSERT_EQ(ended.code, 0) << ended.output;
  EXPECT_NE(ended.output.find("tokens/s"), std::string::npos) << ended.output;
  const std::map<std::string, json> found = answers("run");
  const json expected = json::parse(text_of(golden_ / "qwen2_5_vl_files/answers.json"));
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [id, wanted] : expected.items()) {
    const json& answer = found.at(id);
    EXPECT_EQ(answer.at("status"), "ok") << id;
    for (const char* key : {"text", "token_ids", "prompt_tokens"}) EXPECT_EQ(answer.at(key), wanted.at(key)) << id;
    EXPECT_EQ(answer.at("finish_reason"), "length") << id;
    EXPECT_GT(answer.at("first_token_seconds"), 0) << id;
    EXPECT_GT(answer.at("tokens_per_second"), 0) << id;
  }
  EXPECT_EQ(found.at("png").at("token_ids"), found.at("white").at("token_ids")) << "transparency goes on white";
  EXPECT_TRUE(fs::exists(folder("run") / "tensors/png.safetensors"));
  EXPECT_FALSE(fs::exists(folder("run") / "images"));
}

TEST_F(Qwen, TheTextIsTheSameOnOneToFourRanks) {
  std::string lines = shipped_lines();
  for (int i = 0; i < 4; ++i) {
    lines += question("sampled" + std::to_string(i),
                      {{"images", {"street.jpg"}}, {"temperature", 1.5}, {"top_k", 40}, {"top_p", 0.9}, {"seed", i}});
  }
  for (const std::string batch : {"1", "3"}) {
    ask(lines, "sampling: {max_new_tokens: 12}\ndispatch: {batch: " + batch + "}\n");
    const std::string one = "batch" + batch;
    ASSERT_EQ(run(worker(1, one)).code, 0);
    for (int ranks : {2, 3, 4}) {
      const std::string name = one + "ranks" + std::to_string(ranks);
      const Ended ended = run(worker(ranks, name));
      ASSERT_EQ(ended.code, 0) << ended.output;
      expect_equal(one, name);
    }
    EXPECT_NE(answers(one).at("sampled0").at("text"), answers(one).at("sampled1").at("text"));
  }
  const auto alone = answers("batch1"), together = answers("batch3");
  for (const auto& [id, answer] : alone) EXPECT_EQ(answer.at("token_ids"), together.at(id).at("token_ids")) << id;
}

TEST_F(Qwen, TheTextIsTheSameAfterAKillAndAResume) {
  constexpr int kCount = 96;  // seconds of work on the fastest machine: the kill must come before its end
  std::string lines;
  for (int i = 0; i < kCount; ++i) {
    lines += question("item" + std::to_string(i), {{"images", {i % 2 == 0 ? "house.png" : "street.jpg"}}, {"seed", i}});
  }
  ask(lines, "sampling: {max_new_tokens: 300, temperature: 1}\ndispatch: {batch: 2}\n");
  ASSERT_EQ(run(worker(1, "whole"), 120).code, 0);
  Process job = start(worker(2, "killed"));
  ASSERT_TRUE(eventually([&] { return answered("killed") >= 2 && pid_of_rank("killed", 1) > 0; }));
  ASSERT_EQ(kill(pid_of_rank("killed", 1), SIGKILL), 0);
  EXPECT_NE(job.wait().code, 0);
  EXPECT_LT(answered("killed"), kCount);
  const Ended resumed = run(worker(3, "killed"), 120);
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  expect_equal("whole", "killed");
}

TEST_F(Qwen, BadInputFailsItsItemOnlyWithFileAndReason) {
  const std::string png = text_of(root_ / "in/house.png"), jpeg = text_of(root_ / "in/street.jpg");
  write("in/cut.png", png.substr(0, png.size() / 2));
  write("in/cut.jpg", jpeg.substr(0, jpeg.size() / 2));
  write("in/words.png", "no picture");
  write("in/large.png", png);
  fs::resize_file(root_ / "in/large.png", (64u << 20) + 1);
  std::string bomb = jpeg;
  const auto frame = bomb.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  bomb.replace(frame + 5, 4, "\x7f\x7f\x7f\x7f");  // 32639 x 32639 pixels
  write("in/bomb.jpg", bomb);
  const std::map<std::string, std::pair<json, std::string>> bad = {
      {"cut_png", {{{"images", {"cut.png"}}}, "cut.png: damaged PNG: the file is truncated"}},
      {"cut_jpeg", {{{"images", {"house.png", "cut.jpg"}}}, "cut.jpg: damaged JPEG: the file is truncated"}},
      {"unreadable", {{{"images", {"words.png"}}}, "words.png: neither PNG nor JPEG"}},
      {"missing", {{{"images", {"none.png"}}}, "picture none.png: no such file"}},
      {"oversized", {{{"images", {"large.png"}}}, "picture large.png: 67108865 bytes, at most 67108864 are taken"}},
      {"bomb", {{{"images", {"bomb.jpg"}}}, "bomb.jpg: the picture has 32639 x 32639 pixels, at most 89478485"}},
      {"placeholders",
       {{{"images", {"house.png"}}, {"prompt", "<|image_pad|>"}}, "2 placeholders <|image_pad|> for 1"}},
      {"no_picture",
       {{{"prompt", "a <|vision_start|><|image_pad|><|vision_end|>"}}, "1 placeholders <|image_pad|> for 0"}},
      {"too_long", {{{"max_new_tokens", 500}}, "more than the 512 tokens this model can hold"}},
      {"empty", {{{"prompt", ""}}, "an empty prompt without pictures"}},
  };
  std::string lines = question("good", {{"images", {"house.png"}}});
  for (const auto& [id, is] : bad) lines += question(id, is.first);
  lines += question("wordless", {{"prompt", ""}, {"images", {"house.png"}}});
  ask(lines, "sampling: {max_new_tokens: 8}\ndispatch: {batch: 4}\n");
  const Ended ended = run(worker(2, "run"));
  EXPECT_EQ(ended.code, 3) << ended.output;
  const std::map<std::string, json> found = answers("run");
  ASSERT_EQ(found.size(), bad.size() + 2);
  for (const char* good : {"good", "wordless"}) EXPECT_EQ(found.at(good).at("status"), "ok") << found.at(good);
  for (const auto& [id, is] : bad) {
    EXPECT_EQ(found.at(id).at("status"), "failed") << id;
    EXPECT_NE(found.at(id).at("error").get<std::string>().find(is.second), std::string::npos) << found.at(id);
  }
}

TEST_F(Qwen, PicturesOutsideTheRootAndAddressesEndTheJobBeforeItBegins) {
  for (const std::string name : {"../job.yaml", "https://example.org/a.png"}) {
    ask(shipped_lines() + question("last", {{"images", {name}}}), "");
    const Ended ended = run(worker(2, "run"));
    EXPECT_EQ(ended.code, 65) << ended.output;
    EXPECT_NE(ended.output.find("prompts.jsonl:7: images: '" + name), std::string::npos) << ended.output;
  }
  ask(shipped_lines(), "");
  const Ended ended = run(worker(2, "run", {"--set", "input.image_root=" + (root_ / "in").string()}));
  EXPECT_EQ(ended.code, 0) << ended.output;
}

}  // namespace trireme::e2e
