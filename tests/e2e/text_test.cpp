// Questions about real picture files, answered in batches: the same on any number of ranks, after a kill and a resume.

#include <csignal>
#include <fstream>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;

// Two PNG files of 4 x 3 pixels.
constexpr std::string_view kPictureA =
                               "89504e470d0a1a0a0000000d49484452000000040000000308020000003b963991000000144944415478da6"
                               "34c4c4c64840116161616ec1c002e830160abf6675c0000000049454e44ae426082",
                           kPictureB =
                               "89504e470d0a1a0a0000000d49484452000000040000000308020000003b963991000000144944415478da6"
                               "34c4a4a62840116161616ec1c002ef20163ee65c2210000000049454e44ae426082";

std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

class Text : public JobTest {
 protected:
  Text() {
    fs::create_directory(root_ / "pictures");
    write("pictures/a.png", bytes_of(kPictureA));
    write("pictures/b.png", bytes_of(kPictureB));
  }
  void ask(const std::string& lines, const std::string& more_yaml = "") {
    write("prompts.jsonl", lines);
    job_ = write("job.yaml", "model: {family: fake_text}\noutput: {tensors: true}\ninput: {prompts: " +
                                 (root_ / "prompts.jsonl").string() + "}\n" + more_yaml);
  }
  static std::string questions(int count, const std::string& words) {
    std::string lines;
    for (int i = 0; i < count; ++i) {
      lines += "{\"prompt\": \"question " + std::to_string(i) + " " + words + "\", \"images\": [\"pictures/" +
               (i % 2 == 0 ? "a" : "b") + ".png\"]}\n";
    }
    return lines;
  }
  std::size_t answers(const std::string& run) const {
    std::ifstream file(folder(run) / "journal.jsonl");
    std::size_t count = 0;
    for (std::string line; std::getline(file, line);) count += line.find("\"type\":\"item\"") != std::string::npos;
    return count;
  }
  static std::size_t count(const std::string& text, const std::string& word) {
    std::size_t found = 0;
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
    return found;
  }
};

}  // namespace

TEST_F(Text, AnswersAreEqualForEveryRankCountAndPolicy) {
  ask(questions(11, "length=5"), "dispatch: {batch: 3}\n");
  ASSERT_EQ(run(worker(1, "reference")).code, 0);
  EXPECT_EQ(results("reference"), 11u);
  for (const char* policy : {"static", "round_robin", "least_loaded"}) {
    for (int ranks : {2, 3, 4}) {
      const std::string name = std::string(policy) + std::to_string(ranks);
      const Ended ended = run(worker(ranks, name, {"--set", std::string("dispatch.policy=") + policy}));
      ASSERT_EQ(ended.code, 0) << name << "\n" << ended.output;
      const Ended verdict = verify("reference", name);
      EXPECT_EQ(verdict.code, 0) << name << "\n" << verdict.output;
    }
  }
  const std::string line = text_of(folder("reference") / "results.jsonl");
  EXPECT_EQ(count(line, "\"finish_reason\":\"stop\""), 11u) << line;
  EXPECT_FALSE(fs::exists(folder("reference") / "images"));
  EXPECT_NE(text_of(folder("reference") / "summary.json").find("\"tokens\": 66"), std::string::npos);
}

TEST_F(Text, AKilledJobKeepsWhatWasAnsweredAndRedoesWholeBatches) {
  ask(questions(24, "cost=0.2"), "dispatch: {batch: 3}\nsampling: {max_new_tokens: 4}\n");
  ASSERT_EQ(run(worker(2, "whole")).code, 0);
  Process job = start(worker(3, "killed"));
  ASSERT_TRUE(eventually([&] { return answers("killed") >= 6 && pid_of_rank("killed", 1) > 0; }));
  ASSERT_EQ(kill(pid_of_rank("killed", 1), SIGKILL), 0);
  EXPECT_NE(job.wait().code, 0);
  const Ended resumed = run(worker(2, "killed"));
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_EQ(results("killed"), 24u);
  EXPECT_EQ(verify("whole", "killed").code, 0);
}

// One file of a batch is lost: its unit is done again whole, and the other answers stay as they were written.
TEST_F(Text, AMemberThatIsMadeAgainLeavesItsBatchMatesAlone) {
  ask(questions(6, "x"), "dispatch: {batch: 3}\nsampling: {max_new_tokens: 4}\n");
  ASSERT_EQ(run(worker(1, "whole")).code, 0);
  ASSERT_EQ(run(worker(1, "hurt")).code, 0);
  EXPECT_EQ(answers("hurt"), 6u);
  fs::remove(folder("hurt") / "tensors" / "000002.safetensors");
  ASSERT_EQ(run(worker(2, "hurt")).code, 0);
  EXPECT_EQ(answers("hurt"), 7u);
  EXPECT_EQ(count(text_of(folder("hurt") / "journal.jsonl"), "\"ids\":[\"000001\",\"000002\",\"000003\"]"), 2u);
  EXPECT_EQ(verify("whole", "hurt").code, 0);
}

TEST_F(Text, BadPicturesFailTheirItemsAndNobodyElses) {
  const std::string png = text_of(root_ / "pictures/a.png");
  write("pictures/cut.png", png.substr(0, png.size() / 2));
  write("pictures/words.png", "no picture");
  ask(R"({"id": "good", "prompt": "x", "images": ["pictures/a.png"]})"
      "\n"
      R"({"id": "cut", "prompt": "x", "images": ["pictures/cut.png"]})"
      "\n"
      R"({"id": "words", "prompt": "x", "images": ["pictures/words.png"]})"
      "\n"
      R"({"id": "none", "prompt": "x", "images": ["pictures/none.png"]})"
      "\n"
      R"({"id": "empty", "prompt": ""})"
      "\n"
      R"({"id": "fail", "prompt": "fail"})"
      "\n",
      "dispatch: {batch: 6}\n");
  const Ended ended = run(worker(2, "run"));
  EXPECT_EQ(ended.code, 3) << ended.output;
  const std::string text = text_of(folder("run") / "results.jsonl");
  EXPECT_EQ(count(text, "\"status\":\"ok\""), 1u) << text;
  EXPECT_NE(text.find("pictures/cut.png: damaged PNG: the file is truncated"), std::string::npos) << text;
  EXPECT_NE(text.find("pictures/words.png: neither PNG nor JPEG"), std::string::npos) << text;
  EXPECT_NE(text.find("picture pictures/none.png: no such file"), std::string::npos) << text;
  EXPECT_NE(text.find("an empty prompt without pictures"), std::string::npos) << text;
  EXPECT_EQ(run(worker(1, "run")).code, 3) << "what has failed is not tried again";
}

TEST_F(Text, APictureThatChangedIsAnotherRun) {
  ask(questions(2, "x"));
  ASSERT_EQ(run(worker(1, "run")).code, 0);
  write("pictures/a.png", text_of(root_ / "pictures/b.png"));
  const Ended ended = run(worker(1, "run"));
  EXPECT_EQ(ended.code, 78);
  EXPECT_NE(ended.output.find("holds another run"), std::string::npos) << ended.output;
}

TEST_F(Text, PathsOutOfTheRootEndTheJobBeforeItBegins) {
  for (const char* name : {"../secret.png", "https://example.org/a.png", "/etc/hostname"}) {
    ask("{\"prompt\": \"x\", \"images\": [\"" + std::string(name) + "\"]}\n");
    const Ended ended = run(worker(2, "run"));
    EXPECT_EQ(ended.code, 65) << ended.output;
    EXPECT_NE(ended.output.find("prompts.jsonl:1: images: '" + std::string(name)), std::string::npos) << ended.output;
  }
}

}  // namespace trireme::e2e
