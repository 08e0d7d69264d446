#include "common/monitor_history.h"

#include <gtest/gtest.h>

#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

NodeSample node_at(double unix_seconds, double watts = 100) {
  NodeSample node{.host = "n1"};
  node.unix_seconds = unix_seconds;
  GpuSample gpu{.index = 0, .uuid = "GPU-1", .name = "a GPU"};
  gpu.power_watts = watts;
  node.gpus = {gpu};
  return node;
}

}  // namespace

TEST(MonitorHistory, KeepsWhenEachNodeWasSampledByTheLoopsClock) {
  const TemporaryFolder folder;
  MonitorHistory history(folder / "monitor.jsonl", 2);
  history.add(0, 1000, {node_at(997)});
  history.add(5, 1005, {node_at(1004, 250)});
  const HistoryFile file = read_history(folder / "monitor.jsonl");
  ASSERT_EQ(file.samples.size(), 2u);
  EXPECT_DOUBLE_EQ(file.samples[0].seconds, -3) << "sampled while the model was loaded";
  EXPECT_DOUBLE_EQ(file.samples[1].seconds, 4);
  EXPECT_EQ(file.samples[1].launch, 2);
  EXPECT_EQ(file.samples[1].node, node_at(1004, 250));
}

TEST(MonitorHistory, WritesNoNodeTwiceWithoutNews) {
  const TemporaryFolder folder;
  MonitorHistory history(folder / "monitor.jsonl", 1);
  history.add(0, 1000, {node_at(999)});
  history.add(5, 1005, {node_at(999)});
  history.add(10, 1010, {node_at(1009)}, /*last=*/true);
  EXPECT_EQ(read_history(folder / "monitor.jsonl").samples.size(), 2u);
}

TEST(MonitorHistory, GoesOnBehindATornLineAndCountsIt) {
  const TemporaryFolder folder;
  folder.write("monitor.jsonl", "{\"launch\":1,\"seconds\":3,\"unix");
  MonitorHistory(folder / "monitor.jsonl", 2).add(4, Alert{"ram", "n1", -1, "95 % of the RAM is used"});
  const HistoryFile file = read_history(folder / "monitor.jsonl");
  EXPECT_EQ(file.damaged, 1u);
  ASSERT_EQ(file.alerts.size(), 1u);
  EXPECT_EQ(file.alerts[0].alert, (Alert{"ram", "n1", -1, "95 % of the RAM is used"}));
  EXPECT_EQ(file.alerts[0].launch, 2);
}

TEST(MonitorHistory, StaysSmallWhateverTheLengthOfAJobAndKeepsAlerts) {
  constexpr std::uint64_t kMost = 20'000;
  const TemporaryFolder folder;
  MonitorHistory history(folder / "monitor.jsonl", 1, kMost);
  history.add(0, Alert{"gpu_temperature", "n1", 0, "90 C"});
  constexpr int kSamples = 5000;
  for (int i = 0; i < kSamples; ++i) {
    history.add(i, 1000 + i, {node_at(1000 + i)});
    ASSERT_LE(std::filesystem::file_size(folder / "monitor.jsonl"), kMost);
  }
  history.add(kSamples, 1000 + kSamples, {node_at(1000 + kSamples)}, /*last=*/true);
  const HistoryFile file = read_history(folder / "monitor.jsonl");
  EXPECT_EQ(file.alerts.size(), 1u);
  EXPECT_EQ(file.damaged, 0u);
  EXPECT_GE(file.samples.size(), 30u);
  EXPECT_DOUBLE_EQ(file.samples.front().seconds, 0);
  EXPECT_DOUBLE_EQ(file.samples.back().seconds, kSamples);
  double widest = 0;
  for (std::size_t i = 1; i < file.samples.size(); ++i) {
    widest = std::max(widest, file.samples[i].seconds - file.samples[i - 1].seconds);
  }
  EXPECT_LE(widest, 4.0 * kSamples / static_cast<double>(file.samples.size())) << "no part of the job is lost";
}

TEST(MonitorHistory, SaysWhereItCantBeWritten) {
  const TemporaryFolder folder;
  const Error error = error_of([&] { MonitorHistory(folder / "missing/monitor.jsonl", 1); });
  EXPECT_EQ(error.code(), ExitCode::cannot_create);
  EXPECT_NE(std::string(error.what()).find("missing/monitor.jsonl"), std::string::npos);
}

}  // namespace trireme
