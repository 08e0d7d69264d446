#include "launcher/report/resources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <variant>

namespace trireme::report {
namespace {

std::vector<std::string> first_row(const Section& section) {
  for (const Block& block : section.blocks) {
    if (const auto* table = std::get_if<Table>(&block)) return table->rows.at(0);
  }
  return {};
}

TEST(Resources, DrawWhatIsCarriedWhereItWasRead) {
  RunRecord run;
  for (int second = 0; second <= 10; ++second) {
    HistorySample sample{1, static_cast<double>(second), NodeSample{.host = "h0"}};
    GpuSample gpu{.index = 3, .name = "A GPU"};
    const bool last = second == 10;  // read at 0 and 10, carried between
    gpu.utilization_percent = last ? 100 : 0;
    gpu.power_watts = 500;
    gpu.energy_joules = last ? 10'000 : 4000;
    if (second > 0 && !last) gpu.age_seconds = {{"utilization", second}, {"energy", second + 0.001}};
    sample.node.gpus = {gpu};
    run.samples.push_back(sample);
  }
  const auto row = first_row(resources_section(run));
  ASSERT_EQ(row.size(), 9u);
  EXPECT_EQ(row[3], "50 / 100") << "use rose over the whole time, not in the last second";
  EXPECT_EQ(row[5], "500 / 500");
  EXPECT_EQ(row[7], "6000") << "the counter's, not the power's";
}

}  // namespace
}  // namespace trireme::report
