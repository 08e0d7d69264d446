#include "worker/monitor/alerts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trireme {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Alerts, AreRaisedAboveTheJobsOwnLimitOfRam) {
  NodeSample node{.host = "n1"};
  node.ram_total_bytes = 1000;
  node.ram_used_bytes = 600;
  EXPECT_THAT(find_alerts({node}, {}, {}), IsEmpty());
  Job::Monitor limits;
  limits.ram_percent = 50;
  EXPECT_THAT(find_alerts({node}, {}, limits), ElementsAre(Alert{"ram", "n1", -1, "60 % of the RAM is used"}));
}

TEST(Alerts, AreRaisedWhenLessThanTwoGibibytesOfDiskAreLeft) {
  NodeSample node{.host = "n1"};
  node.disk_free_bytes = 2ull << 30;
  EXPECT_THAT(find_alerts({node}, {}, {}), IsEmpty());
  node.disk_free_bytes = 100ull << 20;
  EXPECT_THAT(find_alerts({node}, {}, {}),
              ElementsAre(Alert{"disk", "n1", -1, "100 MiB are left on the run directory's disk"}));
}

TEST(Alerts, NameTheSlowReplica) {
  const auto alerts = find_alerts({}, {{.slow = false}, {.slow = true}}, {});
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].kind, "slow_replica");
  EXPECT_EQ(alerts[0].device, 1);
}

TEST(Alerts, AreNotRaisedForWhatCouldNotBeRead) {
  EXPECT_THAT(find_alerts({{.host = "n1", .gpus = {GpuSample{}}}}, {}, {}), IsEmpty());
}

TEST(AlertLog, SaysAnAlertOnceForEachPlaceAndKind) {
  AlertLog log;
  const Alert hot{"gpu_temperature", "n1", 0, "86 C"}, hotter{"gpu_temperature", "n1", 0, "90 C"},
      other_gpu{"gpu_temperature", "n1", 1, "86 C"}, other_node{"gpu_temperature", "n2", 0, "86 C"};
  EXPECT_THAT(log.say_new({hot}), ElementsAre(hot));
  EXPECT_THAT(log.say_new({hotter, other_gpu}), ElementsAre(other_gpu));
  EXPECT_THAT(log.say_new({}), IsEmpty());
  EXPECT_THAT(log.say_new({hot, other_node}), ElementsAre(other_node));
}

}  // namespace
}  // namespace trireme
