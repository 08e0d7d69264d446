// The two shipped models together: one draws a name, the other looks at the picture and must say that name.
// TRIREME_EMOJI_EVERY=n takes every n-th emoji instead of a few; 1 takes all, which takes a while.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::array<const char*, 2> kQuestions = {"What is this?", "这是什么？"};

/// An English and a Chinese name.
using Names = std::array<std::string, 2>;

class EmojiDescribe : public JobTest {
 protected:
  void SetUp() override {
    for (const fs::path& model : {draws_, describes_}) {
      if (!fs::exists(model)) GTEST_SKIP() << "no " << model;
    }
  }
  /// Every `every`-th line of emoji.tsv: code points, English name, Chinese name.
  std::vector<Names> names(int every) const {
    if (const char* wanted = std::getenv("TRIREME_EMOJI_EVERY")) every = std::max(1, std::atoi(wanted));
    std::vector<Names> chosen;
    std::ifstream lines(draws_ / "emoji.tsv");
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream fields(line);
      std::string emoji;
      Names both;
      std::getline(fields, emoji, '\t');
      for (std::string& name : both) std::getline(fields, name, '\t');
      if (number++ % every == 0) chosen.push_back(both);
    }
    return chosen;
  }
  /// Runs a job of `model` on these lines. `more`: of the job file.
  void make(const std::string& name, const fs::path& model, const std::string& lines, const std::string& more) {
    const fs::path prompts = write(name + ".jsonl", lines);
    job_ = write(name + ".yaml", "model: {path: " + model.string() + "}\n" + more);
    const Ended ended = run(worker(2, name, {"--set", "input.prompts=" + prompts.string()}), 3600);
    ASSERT_EQ(ended.code, 0) << ended.output;
  }
  std::map<std::string, std::string> answers(const std::string& name) const {
    std::map<std::string, std::string> found;
    std::istringstream lines(text_of(folder(name) / "results.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const json answer = json::parse(line);
      found[answer.at("id")] = answer.at("text");
    }
    return found;
  }

  const fs::path draws_ = fs::path(TRIREME_SOURCE_DIR) / "models/emoji";
  const fs::path describes_ = fs::path(TRIREME_SOURCE_DIR) / "models/emoji-describe";
};

}  // namespace

TEST_F(EmojiDescribe, GeneratedPicturesAreNamedRight) {
  const std::vector<Names> asked = names(24);
  ASSERT_GE(asked.size(), 40u);
  std::string drawings, questions;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const std::string id = std::to_string(i);
    drawings += json{{"id", id}, {"prompt", asked[i][0]}}.dump() + "\n";
    for (std::size_t language = 0; language < 2; ++language) {
      questions +=
          json{{"id", id + "_" + std::to_string(language)}, {"prompt", kQuestions[language]}, {"images", {id + ".png"}}}
              .dump() +
          "\n";
    }
  }
  make("drawn", draws_, drawings, "sampling: {width: 128, height: 128}\n");
  make("named", describes_, questions,
       "sampling: {max_new_tokens: 32}\ninput: {image_root: " + (folder("drawn") / "images").string() + "}\n");
  const std::map<std::string, std::string> said = answers("named");
  for (std::size_t language = 0; language < 2; ++language) {
    std::size_t right = 0;
    std::string wrong;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const std::string& answer = said.at(std::to_string(i) + "_" + std::to_string(language));
      right += answer == asked[i][language];
      if (answer != asked[i][language]) wrong += "\n" + asked[i][language] + ": " + answer;
    }
    std::printf("%s %zu of %zu named right\n", kQuestions[language], right, asked.size());
    EXPECT_GE(right * 10, asked.size() * 9) << wrong;
  }
}

}  // namespace trireme::e2e
