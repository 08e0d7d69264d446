// Ways to read weights and to write results when many hosts share a file system: the same bits in each.

#include <csignal>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;

class SharedDisk : public JobTest {
 protected:
  void prepare_z_image() {
    write("prompts.txt", "a red fox\na blue house\na grey cat\n");
    job_ = write("job.yaml", std::string("model: {path: ") + TRIREME_SOURCE_DIR + "/models/z_image_tiny}\n" +
                                 "sampling: {width: 32, height: 32, steps: 2}\n"
                                 "output: {tensors: true}\n"
                                 "input: {prompts: " +
                                 (root_ / "prompts.txt").string() + "}\n");
  }
};

}  // namespace

TEST_F(SharedDisk, EveryWayToReadWeightsGivesTheSameBits) {
  prepare_z_image();
  ASSERT_EQ(run(worker(1, "one")).code, 0);
  const std::string cache = "model.cache=" + (root_ / "disk").string();
  const std::vector<std::vector<std::string>> ways = {
      {"--set", "model.read=per_node"}, {"--set", cache}, {"--set", cache, "--set", "model.read=per_node"}};
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const std::string name = "way" + std::to_string(i);
    const Ended ended = run(worker(2, name, ways[i]));
    ASSERT_EQ(ended.code, 0) << ended.output;
    const Ended verdict = verify("one", name);
    EXPECT_EQ(verdict.code, 0) << verdict.output;
  }
  std::size_t copies = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root_ / "disk"))
    copies += entry.path().extension() == ".safetensors";
  EXPECT_GE(copies, 3u);
}

TEST_F(SharedDisk, ACacheThatCanNotBeWrittenIsNamed) {
  prepare_z_image();
  const Ended ended = run(worker(2, "run", {"--set", "model.cache=/proc/none"}));
  EXPECT_EQ(ended.code, 73) << ended.output;
  EXPECT_NE(ended.output.find("/proc/none"), std::string::npos) << ended.output;
}

TEST_F(SharedDisk, RanksThatWriteForThemselvesWriteTheSameFiles) {
  std::string prompts;
  for (int i = 0; i < 12; ++i) prompts += "picture " + std::to_string(i) + (i == 5 ? " fail\n" : "\n");
  prepare(prompts);
  ASSERT_EQ(run(worker(1, "gathered")).code, 3);
  for (int ranks : {1, 2, 4}) {
    const std::string name = "local" + std::to_string(ranks);
    const Ended ended = run(worker(ranks, name, {"--set", "output.write=local"}));
    ASSERT_EQ(ended.code, 3) << ended.output;
    EXPECT_EQ(pictures(name), 11u);
    const Ended verdict = verify("gathered", name);
    EXPECT_EQ(verdict.code, 0) << verdict.output;
  }
}

TEST_F(SharedDisk, AKilledJobWhoseRanksWriteResumesEitherWay) {
  std::string prompts;
  for (int i = 0; i < 20; ++i) prompts += "picture " + std::to_string(i) + " cost=0.3\n";
  prepare(prompts);
  ASSERT_EQ(run(worker(2, "whole")).code, 0);
  Process job = start(worker(3, "killed", {"--set", "output.write=local"}));
  ASSERT_TRUE(eventually([&] { return pictures("killed") >= 4 && pid_of_rank("killed", 1) > 0; }));
  ASSERT_EQ(kill(pid_of_rank("killed", 1), SIGKILL), 0);
  EXPECT_NE(job.wait().code, 0);
  const Ended resumed = run(worker(2, "killed"));
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  const Ended verdict = verify("whole", "killed");
  EXPECT_EQ(verdict.code, 0) << verdict.output;
}

}  // namespace trireme::e2e
