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

TEST(Run, EndsWithADocumentedCodeWhateverEndedTheJob) {
  EXPECT_EQ(exit_code_of({3, false}), ExitCode::some_items_failed);
  EXPECT_EQ(exit_code_of({78, true}), ExitCode::config);
  EXPECT_EQ(exit_code_of({1, true}), ExitCode::stopped_early) << "what mpirun gives after TERM";
  for (int killed : {137, 143, 129, 205}) EXPECT_EQ(exit_code_of({killed, false}), ExitCode::stopped_early) << killed;
  for (int crashed : {139, 134}) EXPECT_EQ(exit_code_of({crashed, false}), ExitCode::internal) << crashed;
  for (int no_start : {1, 127, 243, 255}) EXPECT_EQ(exit_code_of({no_start, false}), ExitCode::unavailable) << no_start;
}

}  // namespace trireme
