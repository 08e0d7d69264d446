#include "launcher/top.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trireme {
namespace {

using testing::HasSubstr;
using testing::Not;

Status running() {
  Status status;
  status.state = "running";
  status.total = 10;
  status.done = 4;
  status.replicas = {{2, 3, 4.5, false}, {1, 0, 0, true}};
  NodeSample node{.host = "n1"};
  node.ram_used_bytes = 3ull << 30;
  GpuSample gpu{.index = 5};
  gpu.temperature_c = 61;
  gpu.throttled = {"thermal"};
  node.gpus = {gpu};
  status.nodes = {node};
  return status;
}

TEST(Top, ShowsReplicasWithTheirMeanSecondsAnItem) {
  const std::string text = status_tables(running());
  EXPECT_THAT(text, HasSubstr("4/10 done"));
  EXPECT_THAT(text, HasSubstr("0               2        3      1.500\n"));
  EXPECT_THAT(text, HasSubstr("1               1        0          -  slow\n"));
}

TEST(Top, ShowsADashForWhatIsNotKnown) {
  const std::string text = status_tables(running());
  EXPECT_THAT(text, HasSubstr("n1: CPU - % · RAM 3.0/- GiB · disk - GiB left\n"));
  EXPECT_THAT(text, HasSubstr("5             -            -/-     61        -        -  thermal\n"));
  EXPECT_THAT(text, Not(HasSubstr("s left")));
}

TEST(Top, NamesThePlaceOfAnAlert) {
  Status status = running();
  EXPECT_THAT(status_tables(status), Not(HasSubstr("alert")));
  status.alerts = {{"gpu_temperature", "n1", 5, "86 C"}, {"ram", "n1", -1, "95 %"}, {"slow_replica", "", 1, "slow"}};
  EXPECT_THAT(status_tables(status), HasSubstr("\nalert: gpu_temperature 5 on n1: 86 C\nalert: ram on n1: 95 %\n"
                                               "alert: slow_replica 1: slow\n"));
}

}  // namespace
}  // namespace trireme
