// A tiny NewBie-image through the real programs: tags and nested prompts in, pictures out.

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

class NewbieImage : public JobTest {
 protected:
  NewbieImage() {
    write("prompts.yaml",
          "- {id: miku, seed: 7, images_per_prompt: 2, prompt: {character_1: {n: miku, appearance: [blue hair, "
          "twintails]}, general_tags: {style: anime}}}\n"
          "- {id: fox, seed: 8, negative_prompt: bad quality, prompt: <n>a fox</n><style>oil}\n"
          "- {id: plain, guidance: 1, prompt: 一只猫}\n"
          "- {id: cut, cfg_truncation: 0.2, width: 64, prompt: \"\"}\n");
    job_ = write_job("prompts.yaml");
  }

  std::filesystem::path write_job(const std::string& prompts) const {
    return write("job.yaml", std::string("model: {path: ") + TRIREME_SOURCE_DIR +
                                 "/tests/golden/newbie_image}\n"
                                 "sampling: {width: 48, height: 32, steps: 4}\n"
                                 "output: {tensors: true, png_metadata: false}\n"
                                 "input: {prompts: " +
                                 (root_ / prompts).string() + "}\n");
  }

  void expect_same_bits(int ranks, const std::string& name, std::vector<std::string> more) const {
    const Ended ended = run(worker(ranks, name, std::move(more)));
    ASSERT_EQ(ended.code, 0) << ended.output;
    const Ended verdict = verify("n1", name);
    EXPECT_EQ(verdict.code, 0) << name << ": " << verdict.output;
  }
};

const std::vector<std::string> kParallelGuidance{"--set", "parallel.guidance=2"};

}  // namespace

TEST_F(NewbieImage, GivesTheSameBitsOnAnyRanksWithAndWithoutParallelGuidance) {
  const Ended one = run(worker(1, "n1"));
  ASSERT_EQ(one.code, 0) << one.output;
  EXPECT_EQ(pictures("n1"), 5u);
  for (const int ranks : {2, 3, 4}) expect_same_bits(ranks, "n" + std::to_string(ranks), {});
  for (const int ranks : {2, 4}) expect_same_bits(ranks, "pairs" + std::to_string(ranks), kParallelGuidance);
}

TEST_F(NewbieImage, MidpointGivesTheSameBitsWithParallelGuidance) {
  const std::vector<std::string> midpoint{"--set", "sampling.sampler=midpoint"};
  ASSERT_EQ(run(worker(1, "n1", midpoint)).code, 0);
  expect_same_bits(2, "pair", {"--set", "sampling.sampler=midpoint", "--set", "parallel.guidance=2"});
}

TEST_F(NewbieImage, WarnsOfTagsThatAreNotClosedByTheItemsId) {
  const Ended ended = run(worker(1, "n1"));
  EXPECT_EQ(ended.code, 0) << ended.output;
  EXPECT_NE(ended.output.find("id=fox in=prompt fact=\"<style> is not closed, 1:13\""), std::string::npos)
      << ended.output;
  EXPECT_EQ(ended.output.find("id=miku"), std::string::npos) << ended.output;
  EXPECT_NE(run(worker(1, "dry", {"--dry-run"})).output.find("<style> is not closed"), std::string::npos);
}

TEST_F(NewbieImage, ANestedPromptIsTheSameAsItsTags) {
  ASSERT_EQ(run(worker(1, "n1")).code, 0);
  const std::string miku =
      "<character_1><n>miku</n><appearance>blue hair, twintails</appearance></character_1>"
      "<general_tags><style>anime</style></general_tags>";
  write("tags.jsonl", "{\"id\": \"one\", \"seed\": 7, \"prompt\": \"" + miku +
                          "\"}\n"
                          "{\"id\": \"two\", \"seed\": 8, \"prompt\": {\"character_1\": {\"n\": \"miku\", "
                          "\"appearance\": [\"blue hair\", \"twintails\"]}, \"general_tags\": {\"style\": "
                          "\"anime\"}}}\n");
  write_job("tags.jsonl");
  ASSERT_EQ(run(worker(2, "tags")).code, 0);
  // images_per_prompt counts seeds up from the item's own, so that any one picture can be made again alone.
  for (const auto& [name, of_pair] : {std::pair("one", "miku_0"), {"two", "miku_1"}}) {
    const std::string mine = text_of(folder("tags") / "images" / (std::string(name) + ".png"));
    EXPECT_FALSE(mine.empty());
    EXPECT_TRUE(mine == text_of(folder("n1") / "images" / (std::string(of_pair) + ".png"))) << name;
  }
}

TEST_F(NewbieImage, BothFoldersGiveTheSamePictures) {
  ASSERT_EQ(run(worker(1, "n1")).code, 0);
  const std::string other = std::string(TRIREME_SOURCE_DIR) + "/tests/golden/newbie_image_diffusers";
  const Ended ended = run(worker(2, "converted", {"--set", "model.path=" + other}));
  ASSERT_EQ(ended.code, 0) << ended.output;
  EXPECT_EQ(pictures("converted"), 5u);
  EXPECT_TRUE(text_of(folder("n1") / "images/fox.png") == text_of(folder("converted") / "images/fox.png"));
}

TEST_F(NewbieImage, ParallelGuidanceIsRefusedWhereRanksWouldBeIdle) {
  const Ended odd = run(worker(3, "odd", kParallelGuidance), 30);
  EXPECT_EQ(odd.code, 78) << odd.output;
  EXPECT_NE(odd.output.find("start 2 or 4 ranks"), std::string::npos) << odd.output;
  write("plain.txt", "a fox\n");
  write_job("plain.txt");
  const Ended idle = run(worker(2, "idle", {"--set", "parallel.guidance=2", "--set", "sampling.guidance=1"}), 30);
  EXPECT_EQ(idle.code, 78) << idle.output;
  EXPECT_NE(idle.output.find("no item has guidance"), std::string::npos) << idle.output;
}

}  // namespace trireme::e2e
