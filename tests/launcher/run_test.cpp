#include "launcher/run.h"

#include <gtest/gtest.h>

namespace trireme {

TEST(Run, RestartsWhatMayWorkTheNextTime) {
  for (int code : {75, 70, 74, 137, 139, 134, 1, 205}) EXPECT_TRUE(worth_restarting(code, false)) << code;
}

TEST(Run, DoesNotRepeatMistakesOrFinishedJobs) {
  for (int code : {0, 3, 64, 65, 66, 69, 73, 78}) EXPECT_FALSE(worth_restarting(code, false)) << code;
}

TEST(Run, DoesNotRestartWhatSomebodyAskedToStop) { EXPECT_FALSE(worth_restarting(75, true)); }

}  // namespace trireme
