#include "common/start_up.h"

#include <gtest/gtest.h>

#include "common/host.h"

namespace trireme {
namespace {

using Steps = std::vector<std::pair<std::string, double>>;

TEST(StartUp, StepsFollowEachOther) {
  StartUp start_up(100, 0.5);
  start_up.done("MPI", 100.25);
  start_up.done("plan", 101.25);
  EXPECT_EQ(start_up.steps(), (Steps{{"libraries", 0.5}, {"MPI", 0.25}, {"plan", 1.0}}));
  EXPECT_EQ(start_up.seconds(), 1.75);
  EXPECT_EQ(start_up.to_line(), "ready 1.75 s after the start: libraries 0.50 · MPI 0.25 · plan 1.00");
}

TEST(StartUp, AStepWithKnownPartsIsTheRest) {
  StartUp start_up(100, 0.5);
  start_up.done("weights", 108, {{"files", 2}, {"cache", 0.0005}, {"model", 1}});
  EXPECT_EQ(start_up.steps(), (Steps{{"libraries", 0.5}, {"files", 2}, {"model", 1}, {"weights", 5}}));
  EXPECT_EQ(start_up.seconds(), 8.5);
}

TEST(StartUp, AProcessKnowsItsAge) {
  const double age = process_age_seconds();
  EXPECT_GT(age, 0);
  EXPECT_LT(age, 600);
}

}  // namespace
}  // namespace trireme
