#include "worker/monitor/watchdog.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>

namespace trireme {

TEST(StallDetector, CountsOnlyTimeWithWorkInHandAndNoProgress) {
  StallDetector detector(10);
  EXPECT_FALSE(detector.stalled(0, 1, Busy::computing));
  EXPECT_FALSE(detector.stalled(9, 1, Busy::computing));
  EXPECT_FALSE(detector.stalled(9.5, 2, Busy::computing)) << "progress starts the time again";
  EXPECT_FALSE(detector.stalled(19, 2, Busy::computing));
  EXPECT_TRUE(detector.stalled(19.6, 2, Busy::computing));
}

TEST(StallDetector, AnIdleRankIsNotStuck) {
  StallDetector detector(10);
  EXPECT_FALSE(detector.stalled(0, 1, Busy::computing));
  EXPECT_FALSE(detector.stalled(50, 1, Busy::nothing));
  EXPECT_FALSE(detector.stalled(59, 1, Busy::computing)) << "time begins when work comes";
  EXPECT_TRUE(detector.stalled(60, 1, Busy::computing));
}

TEST(StallDetector, ARankThatWaitsLetsTheStuckOneSpeakFirst) {
  StallDetector detector(10);
  EXPECT_FALSE(detector.stalled(0, 1, Busy::waiting));
  EXPECT_FALSE(detector.stalled(14.9, 1, Busy::waiting));
  EXPECT_TRUE(detector.stalled(15, 1, Busy::waiting));
}

TEST(WatchdogDeathTest, NamesWhatTheRankWasAt) {
  const auto stall = [] {
    Watchdog watchdog(0.2, [](const std::string& cause, Busy busy) {
      std::fprintf(stderr, "%s%s\n", cause.c_str(), busy == Busy::computing ? "" : " waiting");
      _exit(75);
    });
    watchdog.set_stage("loading weights");
    std::this_thread::sleep_for(std::chrono::seconds(5));  // the watchdog ends the process first
  };
  EXPECT_EXIT(stall(), testing::ExitedWithCode(75), "no progress for 0 s .* loading weights");
}

TEST(WatchdogDeathTest, EndsTheProcessWhenAbortDoesNot) {
  const auto stall = [] {
    Watchdog watchdog(0.1, [](const std::string&, Busy) { std::this_thread::sleep_for(std::chrono::seconds(60)); });
    std::this_thread::sleep_for(std::chrono::seconds(60));
  };
  EXPECT_EXIT(stall(), testing::ExitedWithCode(75), "");
}

}  // namespace trireme
