#include "worker/monitor/progress.h"

#include <gtest/gtest.h>

namespace trireme {

TEST(Progress, ABarNeedsATerminalOutsideALauncher) {
  EXPECT_EQ(choose_progress("auto", true, false), ProgressMode::bar);
  EXPECT_EQ(choose_progress("auto", true, true), ProgressMode::lines);
  EXPECT_EQ(choose_progress("auto", false, false), ProgressMode::lines);
  EXPECT_EQ(choose_progress("bar", false, true), ProgressMode::bar);
  EXPECT_EQ(choose_progress("none", true, false), ProgressMode::none);
}

TEST(Progress, RateCountsOnlyThisJobsItems) {
  ProgressState state;
  state.done = 30;
  state.done_before = 20;
  state.total = 40;
  state.seconds = 20;
  EXPECT_EQ(describe(state), "30/40 done · 0.5 img/s · 20s left");
  state.failed = 2;
  state.slowest_replica = 3;
  state.slowest_seconds_per_item = 2.5;
  EXPECT_EQ(describe(state), "32/40 done · 2 failed · 0.6 img/s · 13s left · slowest replica 3 (2.5 s/img)");
}

TEST(Progress, OfTextStreamsTokens) {
  ProgressState state;
  state.text = true;
  state.total = 8;
  state.seconds = 4;
  EXPECT_EQ(describe(state), "0/8 done");
  state.tokens = 500;
  EXPECT_EQ(describe(state), "0/8 done · 500 tokens · 125 tok/s") << "before the first answer is complete";
  state.done = 2;
  EXPECT_EQ(describe(state), "2/8 done · 500 tokens · 125 tok/s · 0.5 req/s · 12s left");
}

TEST(Progress, TheBarFitsTheTerminal) {
  ProgressState state;
  state.done = 5;
  state.total = 10;
  for (int columns : {20, 40, 80, 200}) {
    const std::string bar = draw_bar(state, columns);
    EXPECT_LE(bar.size(), static_cast<std::size_t>(std::max(columns, 9)));
  }
  state.text = true;
  state.tokens = 123'456;
  state.seconds = 100;
  state.slowest_replica = 3;
  EXPECT_EQ(draw_bar(state, 54), "5/10 done · 123456 tokens · 1235 tok/s · 0.05 req/s") << "never a second line";
  state = {.done = 5, .total = 10};
  EXPECT_EQ(draw_bar(state, 80), "[===============>              ] 5/10 done");
}

TEST(Progress, NothingToDoIsAFullBar) {
  EXPECT_EQ(draw_bar(ProgressState{}, 80), "[==============================] 0/0 done");
}

}  // namespace trireme
