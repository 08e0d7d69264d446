// What the shipped model draws, by the real programs: the nearest of all pictures it was trained on must be a right
// one. TRIREME_EMOJI_EVERY=n asks every n-th question instead of a few; 1 asks all of them, which takes a while.

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/emoji_pictures.h"
#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;

const fs::path data = fs::path(TRIREME_SOURCE_DIR) / "tests/data/emoji";
const fs::path model = fs::path(TRIREME_SOURCE_DIR) / "models/emoji";

struct Question {
  std::string id, text;
  std::vector<int> right;
  int background = 0;
};

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  for (std::string field; std::getline(stream, field, '\t');) fields.push_back(field);
  return fields;
}

/// Every `every`-th question whose set begins with `kind`.
std::vector<Question> questions(const std::string& kind, int every) {
  std::vector<Question> chosen;
  std::ifstream lines(data / "questions.tsv");
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> fields = fields_of(line);
    if (!fields.at(0).starts_with(kind) || number++ % every != 0) continue;
    Question question{"q" + std::to_string(number), fields.at(1), {}, std::stoi(fields.at(3))};
    std::istringstream right(fields.at(2));
    for (int emoji = 0; right >> emoji;) question.right.push_back(emoji);
    chosen.push_back(question);
  }
  return chosen;
}

std::string line_of(const nlohmann::json& object) { return object.dump() + "\n"; }

int lines_in(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  int count = 0;
  while (std::getline(stream, line)) ++count;
  return count;
}

class Emoji : public JobTest {
 protected:
  /// Asks, and returns the share of right pictures in percent. `every`: in a usual run of the tests.
  double right(const std::string& kind, int every) {
    if (const char* wanted = std::getenv("TRIREME_EMOJI_EVERY")) every = std::max(1, std::atoi(wanted));
    const std::vector<Question> asked = questions(kind, every);
    std::string prompts;
    for (const Question& q : asked) prompts += line_of({{"id", q.id}, {"prompt", q.text}});
    const fs::path file = write(kind + ".jsonl", prompts);
    job_ = write(kind + ".yaml", "model: {path: " + model.string() + "}\n" + "sampling: {width: 128, height: 128}\n" +
                                     "input: {prompts: " + file.string() + "}\n");
    const Ended ended = run(worker(2, kind), 3600);
    EXPECT_EQ(ended.code, 0) << ended.output;
    static const EmojiPictures pictures(data, lines_in(model / "emoji.tsv"));
    int count = 0;
    for (const Question& q : asked) {
      const Seen seen = pictures.nearest(folder(kind) / "images" / (q.id + ".png"));
      const bool good = seen.background == q.background && std::ranges::count(q.right, seen.emoji) > 0;
      count += good;
      if (!good)
        wrong_ += "\n" + q.text + ": emoji " + std::to_string(seen.emoji) + " on " + std::to_string(seen.background);
    }
    const double percent = 100.0 * count / static_cast<double>(asked.size());
    std::printf("%s: %d of %zu right, %.1f %%\n", kind.c_str(), count, asked.size(), percent);
    return percent;
  }

  std::string wrong_;
};

}  // namespace

TEST_F(Emoji, NamesAreDrawn) {
  for (const char* kind : {"names_en", "names_zh"}) EXPECT_GE(right(kind, 48), 96.0) << wrong_;
}

TEST_F(Emoji, BackgroundsAreDrawn) {
  for (const char* kind : {"coloured_en", "coloured_zh"}) EXPECT_GE(right(kind, 96), 93.0) << wrong_;
}

TEST_F(Emoji, WordsNeverSeenAreUnderstood) {
  EXPECT_GE((right("paraphrases", 6) + right("riddles", 6)) / 2, 75.0) << wrong_;
}

TEST_F(Emoji, PixelsAgreeWithDiffusersWithinOneLevel) {
  std::ifstream lines(data / "diffusers/prompts.tsv");
  std::string prompts;
  std::vector<std::string> seeds;
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> fields = fields_of(line);
    seeds.push_back(fields.at(0));
    prompts += line_of({{"id", fields[0]}, {"seed", std::stoi(fields[0])}, {"prompt", fields.at(1)}});
  }
  ASSERT_GE(seeds.size(), 4u);
  job_ = write("job.yaml", "model: {path: " + model.string() +
                               "}\nsampling: {width: 128, height: 128}\ninput: {prompts: " +
                               write("prompts.jsonl", prompts).string() + "}\n");
  const Ended ended = run(worker(1, "run"));
  ASSERT_EQ(ended.code, 0) << ended.output;
  for (const std::string& seed : seeds) {
    EXPECT_LE(largest_difference(folder("run") / "images" / (seed + ".png"), data / "diffusers" / (seed + ".png")), 1);
  }
}

}  // namespace trireme::e2e
