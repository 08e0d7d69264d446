#include "worker/monitor/metrics_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "common/files.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

using testing::HasSubstr;
using testing::Not;

Status status_of_two_gpus() {
  Status status;
  status.state = "running";
  status.run_id = "abc";
  status.total = 10;
  NodeSample node{.host = "n1"};
  node.gpus.resize(2);
  for (int index = 0; index < 2; ++index) {
    node.gpus[static_cast<std::size_t>(index)].index = index;
    node.gpus[static_cast<std::size_t>(index)].uuid = "GPU-" + std::to_string(index);
    node.gpus[static_cast<std::size_t>(index)].name = "odd \"name\\";
    node.gpus[static_cast<std::size_t>(index)].power_watts = 651.5;
  }
  status.nodes.push_back(node);
  return status;
}

TEST(Metrics, LabelGpusAsDcgmExporterDoes) {
  EXPECT_THAT(prometheus_text(status_of_two_gpus()),
              HasSubstr("trireme_gpu_power_watts{run_id=\"abc\",Hostname=\"n1\",gpu=\"1\",UUID=\"GPU-1\","
                        "modelName=\"odd \\\"name\\\\\"} 651.5\n"));
}

TEST(Metrics, KeepTheLinesOfAFamilyTogetherUnderOneType) {
  const std::string text = prometheus_text(status_of_two_gpus());
  const auto type = text.find("# TYPE trireme_gpu_power_watts gauge\n");
  ASSERT_NE(type, std::string::npos);
  EXPECT_EQ(text.find("# TYPE trireme_gpu_power_watts", type + 1), std::string::npos);
  EXPECT_LT(text.find("gpu=\"1\"", type), text.find("# ", type + 1));
}

TEST(Metrics, LeaveOutWhatIsNotKnown) {
  EXPECT_THAT(prometheus_text(status_of_two_gpus()), Not(HasSubstr("trireme_gpu_temperature_celsius")));
}

TEST(Metrics, OfAnEndedJobSayThatItDoesNotRun) {
  Status status = status_of_two_gpus();
  EXPECT_THAT(prometheus_text(status), HasSubstr("trireme_running{run_id=\"abc\"} 1\n"));
  status.state = "ended";
  EXPECT_THAT(prometheus_text(status), HasSubstr("trireme_running{run_id=\"abc\"} 0\n"));
}

TEST(Metrics, ReplaceTheFileAsAWhole) {
  const TemporaryFolder folder;
  folder.write("trireme.prom", std::string(100'000, 'x'));
  write_metrics(folder / "trireme.prom", status_of_two_gpus());
  EXPECT_EQ(read_file(folder / "trireme.prom", 1 << 20), prometheus_text(status_of_two_gpus()));
  EXPECT_THROW(write_metrics(folder / "missing" / "trireme.prom", status_of_two_gpus()), Error);
}

}  // namespace
}  // namespace trireme
