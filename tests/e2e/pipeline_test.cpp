// Models cut over ranks: the bits of the whole model for every number of stages and replicas, through faults and
// resumes.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> stages(int count, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"--set", "parallel.stages=" + std::to_string(count)});
  return more;
}

class Pipeline : public JobTest {
 protected:
  /// One rank with the whole model, then every cut on one and on two replicas: equal files.
  void expect_equal_for_all_cuts(int most_stages, const std::vector<std::string>& more = {}) {
    const Ended whole = run(worker(1, "whole", more), 120);
    ASSERT_EQ(whole.code, 0) << whole.output;
    for (int count = 2; count <= most_stages; ++count) {
      for (int replicas = 1; replicas <= 2 && count * replicas <= 8; ++replicas) {
        const std::string name = "s" + std::to_string(count) + "r" + std::to_string(replicas);
        const Ended cut = run(worker(count * replicas, name, stages(count, more)), 120);
        ASSERT_EQ(cut.code, 0) << name << "\n" << cut.output;
        expect_equal("whole", name);
      }
    }
  }
  void expect_equal(const std::string& a, const std::string& b) const {
    const Ended verdict = verify(a, b);
    EXPECT_EQ(verdict.code, 0) << a << " and " << b << "\n" << verdict.output;
  }
  /// A job of a family's folder, with these lines as prompts.jsonl.
  void use(const fs::path& model, const std::string& lines, const std::string& more_yaml) {
    const fs::path prompts = write("prompts.jsonl", lines);
    job_ = write("job.yaml", "model: {path: " + model.string() + "}\noutput: {tensors: true}\ninput: {prompts: " +
                                 prompts.string() + "}\n" + more_yaml);
  }
  /// The folder's configs with another number of layers, without its weights.
  fs::path with_layers(const std::string& folder, const std::string& config, const std::string& key, int layers) const {
    const fs::path copy = root_ / "model";
    fs::copy(fs::path(TRIREME_SOURCE_DIR) / folder, copy, fs::copy_options::recursive);
    std::string text = text_of(copy / config);
    const std::size_t at = text.find("\"" + key + "\": ") + key.size() + 4;
    text.replace(at, text.find_first_of(",\n", at) - at, std::to_string(layers));
    std::ofstream(copy / config) << text;
    std::vector<fs::path> shards;
    for (const auto& entry : fs::recursive_directory_iterator(copy)) {
      if (entry.path().filename().string().find(".safetensors") != std::string::npos) shards.push_back(entry.path());
    }
    for (const fs::path& shard : shards) fs::remove(shard);
    return copy;
  }
};

const std::string kPictureLines =
    "{\"prompt\": \"a red fox\", \"seed\": 1}\n"
    "{\"prompt\": \"a cat\", \"width\": 96, \"height\": 32}\n"
    "{\"prompt\": \"a blue house\", \"guidance\": 2.5, \"negative_prompt\": \"grey\"}\n"
    "{\"prompt\": \"cut\", \"guidance\": 2.5, \"cfg_truncation\": 0.5}\n"
    "{\"prompt\": \"\", \"steps\": 2}\n";

}  // namespace

TEST_F(Pipeline, OfTheFakeModelGivesTheBitsOfTheWhole) {
  std::string lines;
  for (int i = 0; i < 9; ++i) {
    lines += "{\"prompt\": \"picture " + std::to_string(i) +
             (i == 3   ? " fail"
              : i == 5 ? " fail_layer=2"
                       : "") +
             "\", \"guidance\": " + (i % 2 == 0 ? "0" : "3") + ", \"steps\": " + std::to_string(2 + i % 3) + "}\n";
  }
  const fs::path prompts = write("prompts.jsonl", lines);
  prepare("");
  const std::vector<std::string> more{"--set", "input.prompts=" + prompts.string()};
  ASSERT_EQ(run(worker(1, "whole", more)).code, 3);
  for (const int count : {2, 3, 4}) {
    for (const int replicas : {1, 2}) {
      const std::string name = "s" + std::to_string(count) + "r" + std::to_string(replicas);
      const Ended cut = run(worker(count * replicas, name, stages(count, more)));
      EXPECT_EQ(cut.code, 3) << cut.output;
      expect_equal("whole", name);
      EXPECT_EQ(pictures(name), 7u);
    }
  }
}

TEST_F(Pipeline, OfZImageGivesTheBitsOfTheWhole) {
  use(fs::path(TRIREME_SOURCE_DIR) / "models/z_image_tiny", kPictureLines,
      "sampling: {width: 64, height: 64, steps: 4}\n");
  expect_equal_for_all_cuts(4);
}

TEST_F(Pipeline, OfNewbieImageGivesTheBitsOfTheWhole) {
  use(fs::path(TRIREME_SOURCE_DIR) / "tests/golden/newbie_image", kPictureLines,
      "sampling: {width: 64, height: 64, steps: 4}\n");
  expect_equal_for_all_cuts(3);
}

// Where tensors are written the last stage decodes all; else stages take turns.
TEST_F(Pipeline, OfZImageGivesTheBitsOfTheWholeWhereEveryStageDecodes) {
  use(fs::path(TRIREME_SOURCE_DIR) / "models/z_image_tiny", kPictureLines,
      "sampling: {width: 64, height: 64, steps: 4}\n");
  expect_equal_for_all_cuts(4, {"--set", "output.tensors=false"});
}

TEST_F(Pipeline, OfNewbieImageGivesTheBitsOfTheWholeWhereEveryStageDecodes) {
  use(fs::path(TRIREME_SOURCE_DIR) / "tests/golden/newbie_image", kPictureLines,
      "sampling: {width: 64, height: 64, steps: 4}\n");
  expect_equal_for_all_cuts(3, {"--set", "output.tensors=false"});
}

TEST_F(Pipeline, OfQwenGivesTheTokensOfTheWhole) {
  fs::copy(fs::path(TRIREME_SOURCE_DIR) / "tests/golden/qwen2_5_vl_files", root_ / "in");
  const std::string lines = text_of(root_ / "in/prompts.jsonl");
  use(with_layers("tests/golden/qwen2_5_vl_released", "config.json", "num_hidden_layers", 4), lines,
      "sampling: {max_new_tokens: 12, temperature: 0.8}\n");
  const std::vector<std::string> dummy{"--set", "model.weights=dummy", "--set",
                                       "input.image_root=" + (root_ / "in").string()};
  expect_equal_for_all_cuts(4, dummy);
}

TEST_F(Pipeline, OfQwensBatchesWithAPictureThatCanNotBeReadGivesTheTokensOfTheWhole) {
  fs::copy(fs::path(TRIREME_SOURCE_DIR) / "tests/golden/qwen2_5_vl_files", root_ / "in");
  write("in/broken.png", "no picture");
  std::string lines = text_of(root_ / "in/prompts.jsonl");
  lines += "{\"id\": \"broken\", \"prompt\": \"what is it?\", \"images\": [\"broken.png\"]}\n";
  lines += "{\"id\": \"last\", \"prompt\": \"and this\"}\n";
  use(fs::path(TRIREME_SOURCE_DIR) / "tests/golden/qwen2_5_vl_released", lines, "sampling: {max_new_tokens: 8}\n");
  const std::vector<std::string> more{"--set", "dispatch.batch=3", "--set",
                                      "input.image_root=" + (root_ / "in").string()};
  ASSERT_EQ(run(worker(1, "whole", more)).code, 3);
  ASSERT_EQ(run(worker(2, "cut", stages(2, more))).code, 3);
  expect_equal("whole", "cut");
  EXPECT_NE(text_of(folder("cut") / "results.jsonl").find("\"id\":\"broken\",\"status\":\"failed\""),
            std::string::npos);
}

TEST_F(Pipeline, CutsWhereTheJobSays) {
  use(fs::path(TRIREME_SOURCE_DIR) / "models/z_image_tiny", kPictureLines,
      "sampling: {width: 64, height: 64, steps: 2}\n");
  ASSERT_EQ(run(worker(1, "whole")).code, 0);
  ASSERT_EQ(run(worker(2, "halves", stages(2, {"--set", "parallel.split=[0.5, 3.5]"}))).code, 0);
  expect_equal("whole", "halves");
  ASSERT_EQ(run(worker(3, "one", stages(3, {"--set", "parallel.micro_batches=1"}))).code, 0);
  expect_equal("whole", "one");
}

TEST_F(Pipeline, RefusesWhatCanNotBeWithTheNumbers) {
  use(fs::path(TRIREME_SOURCE_DIR) / "models/z_image_tiny", kPictureLines, "");
  const auto refusal = [&](int ranks, const std::vector<std::string>& more) {
    const Ended ended = run(worker(ranks, "refused", more), 30);
    EXPECT_EQ(ended.code, 78) << ended.output;
    EXPECT_FALSE(fs::exists(folder("refused") / "journal.jsonl")) << "refused before the run directory is touched";
    return ended.output;
  };
  EXPECT_NE(refusal(3, stages(2)).find("which do not divide"), std::string::npos);
  EXPECT_NE(refusal(5, stages(5)).find("5 are more than the 4 layers"), std::string::npos);
  EXPECT_NE(refusal(2, stages(2, {"--set", "parallel.split=[1, 1, 2]"})).find("is for 3 stages"), std::string::npos);
  EXPECT_NE(refusal(2, stages(2, {"--set", "parallel.split=[2, 1]"})).find("the model has 4"), std::string::npos);
}

TEST_F(Pipeline, WhatOneRankHasNoRoomForRunsOnTwoStages) {
  use(fs::path(TRIREME_SOURCE_DIR) / "models/z_image_tiny", kPictureLines,
      "sampling: {width: 64, height: 64, steps: 2}\n");
  const auto number_behind = [](const std::string& text, const std::string& words) {
    const std::size_t at = text.find(words);
    return at == std::string::npos ? 0.0 : std::atof(text.c_str() + at + words.size());
  };
  const Ended none = run(worker(1, "none", {"--set", "memory.fraction=1e-9"}), 30);
  EXPECT_EQ(none.code, 78) << none.output;
  const double weights = number_behind(none.output, "the weights of rank 0 are "),
               memory = number_behind(none.output, "its memory is ");
  ASSERT_GT(weights, 0) << none.output;
  ASSERT_GT(memory, 0) << none.output;
  char fraction[64];
  std::snprintf(fraction, sizeof fraction, "memory.fraction=%.12g", 0.8 * weights / memory);
  const Ended one = run(worker(1, "one", {"--set", fraction}), 30);
  EXPECT_EQ(one.code, 78) << one.output;
  EXPECT_NE(one.output.find("use more stages than 1"), std::string::npos) << one.output;
  const Ended two = run(worker(2, "two", stages(2, {"--set", fraction, "--set", "parallel.split=[1, 3]"})), 60);
  EXPECT_EQ(two.code, 0) << two.output;
  EXPECT_NE(two.output.find("trireme: stage 1 of 2: layers "), std::string::npos) << two.output;
}

TEST_F(Pipeline, WritesATimelineAndWhereTheTimeWent) {
  std::string lines;
  for (int i = 0; i < 6; ++i) lines += "picture " + std::to_string(i) + " cost=0.2\n";
  prepare(lines);
  const Ended ended = run(worker(4, "run", stages(2, {"--trace"})));
  ASSERT_EQ(ended.code, 0) << ended.output;
  EXPECT_NE(ended.output.find("# lost, measured:  fill "), std::string::npos) << ended.output;
  EXPECT_NE(text_of(folder("run") / "trace.json").find("\"traceEvents\""), std::string::npos);
  EXPECT_NE(text_of(folder("run") / "timeline.svg").find("rank 3</text>"), std::string::npos);
  EXPECT_NE(text_of(folder("run") / "summary.json").find("\"imbalance\""), std::string::npos);
}

TEST_F(Pipeline, BenchmarksTheStrategiesOfOneJob) {
  std::string lines;
  for (int i = 0; i < 4; ++i) lines += "picture " + std::to_string(i) + " cost=0.1\n";
  prepare(lines);
  const Ended ended = run({TRIREME_LAUNCHER, "bench", "strategies", job_.string(), "-n", "4"}, 120);
  ASSERT_EQ(ended.code, 0) << ended.output;
  for (const char* row : {"| one rank | 1 |", "| DP 4 | 4 |", "| DP 2 x PP 2 | 4 |", "| PP 4 | 4 |"}) {
    EXPECT_NE(ended.output.find(row), std::string::npos) << row << "\n" << ended.output;
  }
  EXPECT_EQ(ended.output.find("DIFFERENT"), std::string::npos) << ended.output;
  EXPECT_TRUE(fs::exists(folder("default") / "strategies/chart.svg"));
}

TEST_F(Pipeline, ADeadStageEndsTheJobAndAnotherNumberOfStagesGoesOn) {
  std::string lines;
  for (int i = 0; i < 20; ++i) lines += "picture " + std::to_string(i) + " cost=0.2\n";
  prepare(lines);
  ASSERT_EQ(run(worker(2, "whole")).code, 0);
  Process job = start(launcher(3, "killed", stages(3)));
  ASSERT_TRUE(eventually([&] { return pictures("killed") >= 3 && pid_of_rank("killed", 1) > 0; }));
  const double before = now();
  ASSERT_EQ(kill(pid_of_rank("killed", 1), SIGKILL), 0);
  const Ended ended = job.wait(20);
  EXPECT_NE(ended.code, 0);
  EXPECT_LT(now() - before, 10);
  EXPECT_NE(ended.output.find("rank 1"), std::string::npos) << ended.output;
  EXPECT_LT(pictures("killed"), 20u);
  const Ended resumed = run(worker(4, "killed", stages(2)));
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  expect_equal("whole", "killed");
}

TEST_F(Pipeline, AskedToStopItFinishesWhatHasBegun) {
  std::string lines;
  for (int i = 0; i < 40; ++i) lines += "picture " + std::to_string(i) + " cost=0.1\n";
  prepare(lines);
  Process job = start(worker(2, "drained", stages(2)));
  ASSERT_TRUE(eventually([&] { return pictures("drained") >= 2; }));
  job.signal(SIGUSR1);
  const Ended ended = job.wait(20);
  EXPECT_EQ(ended.code, 75) << ended.output;
  EXPECT_LT(pictures("drained"), 40u);
  EXPECT_EQ(run(worker(1, "drained")).code, 0);
  ASSERT_EQ(run(worker(2, "whole")).code, 0);
  expect_equal("whole", "drained");
}

}  // namespace trireme::e2e
