#include "common/node_sample.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/errors.h"

namespace trireme {
namespace {

NodeSample full_sample() {
  NodeSample sample{.host = "n1"};
  sample.unix_seconds = 1'700'000'000.25;
  sample.cpu_percent = 12.5;
  sample.ram_used_bytes = 1;
  sample.ram_total_bytes = std::numeric_limits<std::uint64_t>::max();
  sample.disk_free_bytes = 3;
  sample.disk_total_bytes = 4;
  GpuSample gpu{.index = 1, .uuid = "GPU-1", .name = "a \"name\""};
  gpu.utilization_percent = 97;
  gpu.temperature_c = 61;
  gpu.power_watts = 651.5;
  gpu.sm_mhz = 1755;
  gpu.energy_joules = 5000.25;
  gpu.memory_used_bytes = 5;
  gpu.memory_total_bytes = 6;
  gpu.ecc_corrected = 7;
  gpu.ecc_uncorrected = 0;
  gpu.throttled = {"thermal"};
  gpu.age_seconds = {{"power", 2.5}, {"ecc", 60}};
  sample.gpus = {gpu, GpuSample{}};
  return sample;
}

TEST(NodeSample, ComesBackFromItsLineAsItWas) {
  EXPECT_EQ(node_sample(to_line(full_sample())), full_sample());
  EXPECT_EQ(node_sample(to_line({.host = "empty"})), NodeSample{.host = "empty"});
  EXPECT_EQ(to_line(full_sample()).find('\n'), std::string::npos);
}

TEST(NodeSample, RefusesALineCutAnywhere) {
  const std::string line = to_line(full_sample());
  for (std::size_t length = 0; length < line.size(); ++length) {
    EXPECT_THROW(node_sample(line.substr(0, length)), Error) << length;
  }
}

TEST(NodeSample, SurvivesANameThatIsNoUtf8) {
  EXPECT_EQ(node_sample(to_line({.host = "n\xff"})).host, "n\xEF\xBF\xBD");
}

}  // namespace
}  // namespace trireme
