// The shipped tiny Z-Image through the real programs: prompts in, pictures out, the same bits on any number of ranks.

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

class ZImage : public JobTest {
 protected:
  ZImage() {
    write("prompts.jsonl",
          "{\"prompt\": \"a red fox\", \"seed\": 1}\n"
          "{\"prompt\": \"一只猫\", \"width\": 96, \"height\": 32}\n"
          "{\"prompt\": \"a blue house\", \"guidance\": 2.5, \"negative_prompt\": \"grey\"}\n"
          "{\"prompt\": \"\", \"steps\": 2}\n");
    job_ = write("job.yaml", std::string("model: {path: ") + TRIREME_SOURCE_DIR + "/models/z_image_tiny}\n" +
                                 "sampling: {width: 64, height: 64, steps: 4}\n"
                                 "output: {tensors: true}\n"
                                 "input: {prompts: " +
                                 (root_ / "prompts.jsonl").string() + "}\n");
  }
};

}  // namespace

TEST_F(ZImage, GivesTheSameBitsOnOneToFourRanks) {
  const Ended one = run(worker(1, "n1"));
  ASSERT_EQ(one.code, 0) << one.output;
  EXPECT_EQ(pictures("n1"), 4u);
  for (int ranks : {2, 3, 4}) {
    const std::string name = "n" + std::to_string(ranks);
    const Ended ended = run(worker(ranks, name));
    ASSERT_EQ(ended.code, 0) << ended.output;
    const Ended verdict = verify("n1", name);
    EXPECT_EQ(verdict.code, 0) << verdict.output;
  }
}

TEST_F(ZImage, GivesTheSameBitsWithPromptsAndPicturesBesideTheSteps) {
  ASSERT_EQ(run(worker(1, "n1", {"--set", "memory.overlap=false"})).code, 0);
  for (int ranks : {1, 2}) {
    const std::string name = "beside" + std::to_string(ranks);
    const Ended ended = run(worker(ranks, name, {"--set", "memory.overlap=true"}));
    ASSERT_EQ(ended.code, 0) << ended.output;
    EXPECT_EQ(verify("n1", name).code, 0);
  }
}

TEST_F(ZImage, GivesTheSameBitsOfBatchesOnAnyNumberOfRanks) {
  std::string lines;
  for (int i = 0; i < 9; ++i) {
    lines += "{\"prompt\": \"picture " + std::to_string(i) + "\"" + (i == 4 ? ", \"width\": 32}" : "}") + "\n";
  }
  write("prompts.jsonl", lines);
  const std::vector<std::string> batch{"--set", "dispatch.batch=3"};
  const Ended one = run(worker(1, "n1", batch));
  ASSERT_EQ(one.code, 0) << one.output;
  EXPECT_EQ(pictures("n1"), 9u);
  for (const int ranks : {2, 3}) {
    const std::string name = "n" + std::to_string(ranks);
    std::vector<std::string> more = batch;
    if (ranks == 3) more.insert(more.end(), {"--set", "memory.overlap=true", "--set", "dispatch.policy=round_robin"});
    ASSERT_EQ(run(worker(ranks, name, more)).code, 0);
    EXPECT_EQ(verify("n1", name).code, 0);
  }
  EXPECT_EQ(run(worker(2, "cut", {"--set", "dispatch.batch=3", "--set", "parallel.stages=2"})).code, 78);
}

TEST_F(ZImage, IsMeasuredOnceItIsWarm) {
  const std::filesystem::path table = root_ / "table.md";
  const std::vector<std::string> bench{TRIREME_LAUNCHER,
                                       "bench",
                                       "image",
                                       job_.string(),
                                       "--images",
                                       "6",
                                       "--warm-up",
                                       "1",
                                       "-n",
                                       "1,2",
                                       "--set",
                                       "output.tensors=false",
                                       "--append",
                                       table.string(),
                                       "--name",
                                       "tiny",
                                       "--set",
                                       "output.directory=" + folder("measured").string()};
  const Ended ended = run(bench, 120);
  ASSERT_EQ(ended.code, 0) << ended.output;
  EXPECT_NE(text_of(table).find("| tiny | 1 | 64x64 | 1 | 0."), std::string::npos) << text_of(table);
  EXPECT_NE(text_of(table).find("| 2 | 12 | "), std::string::npos) << text_of(table);
  EXPECT_EQ(pictures("measured/image_bench/n2"), 12u);
  EXPECT_NE(run({TRIREME_LAUNCHER, "bench", "image", job_.string(), "--images", "2", "--set",
                 "output.directory=" + folder("few").string()})
                .output.find("ask for more images"),
            std::string::npos);
}

TEST_F(ZImage, InFloat8GivesBitsOfItsOwnTheSameOnAnyRanks) {
  const std::vector<std::string> fp8{"--set", "model.dtype=fp8"};
  ASSERT_EQ(run(worker(1, "float32")).code, 0);
  for (int ranks : {1, 2}) {
    const Ended ended = run(worker(ranks, "fp8_" + std::to_string(ranks), fp8));
    ASSERT_EQ(ended.code, 0) << ended.output;
  }
  const Ended equal = verify("fp8_1", "fp8_2"), different = verify("float32", "fp8_1");
  EXPECT_EQ(equal.code, 0) << equal.output;
  EXPECT_NE(different.code, 0) << different.output;
  EXPECT_NE(text_of(folder("fp8_2") / "rank-00001.log").find("weights in float8"), std::string::npos);
}

TEST_F(ZImage, DamagedWeightsAreNamedBeforeAnythingIsDone) {
  namespace fs = std::filesystem;
  const fs::path copy = root_ / "model";
  fs::copy(fs::path(TRIREME_SOURCE_DIR) / "models/z_image_tiny", copy, fs::copy_options::recursive);
  fs::path shard;
  for (const auto& entry : fs::directory_iterator(copy / "vae")) {
    if (entry.path().extension() == ".safetensors") shard = entry.path();
  }
  ASSERT_FALSE(shard.empty());
  const std::vector<std::string> words = worker(2, "run", {"--set", "model.path=" + copy.string()});
  fs::resize_file(shard, fs::file_size(shard) - 100);
  Ended ended = run(words, 30);
  EXPECT_EQ(ended.code, 65) << ended.output;
  EXPECT_NE(ended.output.find(shard.filename().string()), std::string::npos) << ended.output;
  fs::remove(shard);
  ended = run(words, 30);
  EXPECT_EQ(ended.code, 66) << ended.output;
}

TEST_F(ZImage, DummyWeightsNeedNoShards) {
  namespace fs = std::filesystem;
  const fs::path copy = root_ / "model";
  fs::copy(fs::path(TRIREME_SOURCE_DIR) / "models/z_image_tiny", copy, fs::copy_options::recursive);
  for (const auto& entry : fs::recursive_directory_iterator(copy)) {
    if (entry.path().extension() == ".safetensors") fs::remove(entry.path());
  }
  const Ended ended = run(worker(2, "run", {"--set", "model.path=" + copy.string(), "--set", "model.weights=dummy"}));
  EXPECT_EQ(ended.code, 0) << ended.output;
  EXPECT_EQ(pictures("run"), 4u);
}

}  // namespace trireme::e2e
