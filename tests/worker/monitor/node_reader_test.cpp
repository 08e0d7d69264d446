#include "worker/monitor/node_reader.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "common/steady_clock.h"
#include "tests/common/temporary_folder.h"
#include "worker/monitor/node_sampler.h"

namespace trireme {
namespace {

NodeReader reader_of(const TemporaryFolder& folder) {
  return NodeReader({.host = "n1", .disk = folder.path(), .proc = folder.path(), .nvml = "no-such-library.so"});
}

TEST(NodeReader, CountsCpuTimeSinceTheSampleBefore) {
  const TemporaryFolder folder;
  NodeReader reader = reader_of(folder);
  folder.write("stat", "cpu  100 0 100 800 0 0 0 0 50 50\ncpu0 1 2 3 4\n");
  EXPECT_FALSE(reader.sample().cpu_percent.has_value());
  folder.write("stat", "cpu  120 5 105 860 10 0 0 0 70 50\ncpu0 1 2 3 4\n");
  EXPECT_EQ(reader.sample().cpu_percent, 30) << "30 of 100 ticks; guests are counted in user, waiting is idle";
  EXPECT_FALSE(reader.sample().cpu_percent.has_value()) << "no tick has passed";
}

TEST(NodeReader, CountsRamThatIsNotAvailableAsUsed) {
  const TemporaryFolder folder;
  folder.write("meminfo",
               "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\nHugePages_Total: 0\n");
  const NodeSample sample = reader_of(folder).sample();
  EXPECT_EQ(sample.ram_total_bytes, 1000u * 1024);
  EXPECT_EQ(sample.ram_used_bytes, 600u * 1024);
}

TEST(NodeReader, LeavesOutWhatItCanNotRead) {
  const TemporaryFolder folder;
  folder.write("stat", "nonsense");
  folder.write("meminfo", "MemTotal: much\n");
  NodeReader reader({.host = "n1", .disk = folder / "missing", .proc = folder.path(), .nvml = "no-such-library.so"});
  NodeSample only_host;
  only_host.host = "n1";
  for (int i = 0; i < 2; ++i) {
    NodeSample sample = reader.sample();
    EXPECT_GT(sample.unix_seconds.value_or(0), 1.7e9) << "when it was read is always known";
    sample.unix_seconds.reset();
    EXPECT_EQ(sample, only_host);
  }
}

TEST(NodeReader, ReadsThisMachine) {
  const TemporaryFolder folder;
  NodeReader reader({.host = "n1", .disk = folder.path()});
  const NodeSample sample = reader.sample();
  ASSERT_TRUE(sample.ram_used_bytes && sample.ram_total_bytes && sample.disk_free_bytes && sample.disk_total_bytes);
  EXPECT_GT(*sample.ram_used_bytes, 0u);
  EXPECT_LT(*sample.ram_used_bytes, *sample.ram_total_bytes);
  EXPECT_LE(*sample.disk_free_bytes, *sample.disk_total_bytes);
}

TEST(NodeSampler, ReadsAgainAndAgain) {
  std::promise<void> read_twice;
  int reads = 0;
  NodeSampler sampler(
      [&](bool) {
        if (++reads == 2) read_twice.set_value();
        return NodeSample{.host = "n1"};
      },
      0.001);
  read_twice.get_future().wait();
  const auto sample = sampler.take();
  ASSERT_TRUE(sample.has_value());
}

TEST(NodeSampler, EndsWithoutWaitingForTheInterval) {
  std::promise<void> was_read;
  auto sampler = std::make_unique<NodeSampler>(
      [&](bool) {
        was_read.set_value();
        return NodeSample{};
      },
      86'400);
  was_read.get_future().wait();
  const double before = steady_seconds();
  sampler.reset();
  EXPECT_LT(steady_seconds() - before, 1.5) << "2 s is the patience with a driver that hangs";
}

TEST(NodeSampler, ReadsTheCountersWhenAskedAndAtTheEnd) {
  std::vector<bool> counters;
  std::promise<void> first, second;
  NodeSampler sampler(
      [&](bool with) {
        counters.push_back(with);
        if (counters.size() == 1) first.set_value();
        if (counters.size() == 2) second.set_value();
        NodeSample sample;
        sample.cpu_percent = static_cast<double>(counters.size());
        return sample;
      },
      86'400);
  first.get_future().wait();
  sampler.read_counters();
  second.get_future().wait();
  const auto last = sampler.finish();
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->cpu_percent, 3);
  EXPECT_EQ(counters, (std::vector<bool>{false, true, true}));
}

TEST(NodeSampler, EndsThoughAReadingHangs) {
  const auto release = std::make_shared<std::promise<void>>();
  const auto hanging = std::make_shared<std::promise<void>>();
  auto sampler = std::make_unique<NodeSampler>(
      [release, hanging](bool) {
        hanging->set_value();
        release->get_future().wait();
        return NodeSample{};
      },
      86'400);
  hanging->get_future().wait();
  EXPECT_FALSE(sampler->take().has_value());
  const double before = steady_seconds();
  EXPECT_FALSE(sampler->finish().has_value());
  sampler.reset();
  EXPECT_LT(steady_seconds() - before, 3.5) << "2 s of patience, and no second time";
  release->set_value();
}

}  // namespace
}  // namespace trireme
