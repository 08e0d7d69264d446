#include "launcher/report/time_account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "launcher/report/comparison.h"
#include "launcher/report/time_story.h"
#include "tests/launcher/report/run_folder.h"

namespace trireme::report {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Two ranks, all of `busy` in denoising.
RunRecord run_of(double seconds, double busy0, double busy1, double load = 0) {
  RunRecord run;
  run.start = {1, 2, 1, 10, {}};
  run.summary = two_rank_summary();
  run.summary->seconds = seconds;
  run.summary->lower_bound_seconds = (busy0 + busy1) / 2;
  for (const auto& [rank, busy] : {std::pair(0, busy0), {1, busy1}}) {
    RankSummary& of = run.summary->ranks[static_cast<std::size_t>(rank)];
    of.seconds = {load, 0, 0, busy, 0, 0, 0};
    of.busy_seconds = busy;
    of.idle_seconds = seconds - busy;
    of.items = 5;
  }
  return run;
}

void add_item(RunRecord& run, int replica, double seconds, double finished, int width = 64) {
  ItemRecord record;
  record.ok = true;
  record.replica = replica;
  record.seconds = seconds;
  record.finished_seconds = finished;
  record.width = record.height = width;
  run.items.push_back({record, "", {}, true});
}

std::string all_of(const RunRecord& run) {
  std::string text;
  for (const std::string& sentence : where_the_time_went(run)) text += sentence + "\n";
  return text;
}

}  // namespace

TEST(TimeAccount, SharesAreOfAllRanksSecondsAndSumToOne) {
  const TimeShares shares = time_shares(two_rank_summary()).value();
  EXPECT_DOUBLE_EQ(shares.encode, 2.0 / 20);
  EXPECT_DOUBLE_EQ(shares.denoise, 10.0 / 20);
  EXPECT_DOUBLE_EQ(shares.decode, 2.0 / 20);
  EXPECT_NEAR(shares.other, 1.0 / 20, 1e-12) << "busy for 15 s, 14 of them in phases";
  EXPECT_NEAR(shares.uneven, 1.5 / 10, 1e-12) << "9 s less the mean of 7.5 s";
  EXPECT_NEAR(shares.waiting, 0.1, 1e-12) << "rank 0 was idle, too";
  EXPECT_NEAR(shares.encode + shares.denoise + shares.decode + shares.other + shares.uneven + shares.waiting, 1, 1e-12);
}

TEST(TimeAccount, OfAJobThatTookNoTimeIsNothing) {
  Summary summary = two_rank_summary();
  summary.seconds = 0;
  EXPECT_FALSE(time_shares(summary).has_value());
}

TEST(TimeAccount, NamesLoadingWhenThatIsMost) {
  const std::string text = all_of(run_of(10, 10, 10, /*load=*/30));
  EXPECT_THAT(text, HasSubstr("Largest loss, 75.0 % of the job with its start: loading the model took 30.0 s"));
}

TEST(TimeAccount, CountsTheStepsOfAStartAndNamesTheLongest) {
  RunRecord run = run_of(10, 10, 10);
  run.summary->start_up = {{"libraries", 2}, {"weights", 7}, {"first result", 9}};
  EXPECT_DOUBLE_EQ(start_seconds(*run.summary), 9) << "the first result is of the loop";
  EXPECT_THAT(all_of(run),
              HasSubstr("Largest loss, 47.4 % of the job with its start: from the start of the process to the "
                        "first work it took 9.000 s, the longest step of it: weights (7.000 s)"));
}

TEST(TimeAccount, NamesUnevenWorkAndWhatHelps) {
  const std::string text = all_of(run_of(10, 10, 2));
  EXPECT_THAT(text,
              HasSubstr("Largest loss, 40.0 % of the job with its start: ranks were idle because others had more"));
  EXPECT_THAT(text, HasSubstr("dispatch.policy: predictive"));
  EXPECT_THAT(text, HasSubstr("lower bound); the loop took 66.7 % more"));
  EXPECT_THAT(text, HasSubstr("rank 0 was busy longest (10.0 s), rank 1 shortest (2.000 s)"));
}

TEST(TimeAccount, NamesWritingThatWentOnBehindTheLastItem) {
  RunRecord run = run_of(10, 6, 6);
  add_item(run, 0, 1, 6);
  EXPECT_DOUBLE_EQ(tail_seconds(run).value(), 4);
  EXPECT_THAT(all_of(run), HasSubstr("Largest loss, 40.0 % of the job with its start: the last files were written"));
}

TEST(TimeAccount, SaysSoWhenNothingStandsOut) {
  EXPECT_THAT(all_of(run_of(10, 9.9, 9.9)), HasSubstr("Nothing stands out"));
}

TEST(TimeAccount, FindsTheSlowReplicaWhateverSizesItGot) {
  RunRecord run = run_of(10, 10, 10);
  for (int i = 0; i < 6; ++i) {
    add_item(run, 0, 1, 1 + i);
    add_item(run, 1, 2, 1 + i);        // twice as slow
    add_item(run, 0, 9, 2 + i, 1024);  // large ones, which only replica 0 got
  }
  const std::vector<double> slowness = relative_slowness(run);
  ASSERT_EQ(slowness.size(), 2u);
  EXPECT_LE(slowness[0], 1);
  EXPECT_GE(slowness[1], 1);
  run.items.clear();
  for (int i = 0; i < 6; ++i) {
    add_item(run, 0, 1, 1 + i);
    add_item(run, 0, 1, 1 + i);
    add_item(run, 1, 2, 1 + i);
  }
  EXPECT_THAT(all_of(run), HasSubstr("Replica 1 was the slowest: its items took 2.00 times the median"));
}

TEST(TimeAccount, SaysNothingOfAReplicaThatMadeTooFew) {
  RunRecord run = run_of(10, 10, 10);
  for (int i = 0; i < 5; ++i) add_item(run, 0, 1, 1);
  add_item(run, 1, 7, 1);
  EXPECT_THAT(all_of(run), Not(HasSubstr("slower")));
  EXPECT_THAT(all_of(run), Not(HasSubstr("slowest")));
}

TEST(TimeAccount, NamesAGpuWhoseClockWasHeldDown) {
  RunRecord run = run_of(10, 10, 10);
  for (int i = 0; i < 4; ++i) {
    HistorySample sample{1, 1.0 * i, NodeSample{.host = "h0"}};
    GpuSample gpu{.index = 3};
    gpu.throttled = {i == 0 ? "thermal" : "power_cap"};
    sample.node.gpus = {gpu};
    run.samples.push_back(sample);
  }
  EXPECT_THAT(all_of(run), HasSubstr("GPU 3 of h0 in 25.0 % of its samples")) << "at its power cap is no fault";
}

TEST(TimeAccount, OfAKilledJobIsNotKnown) {
  RunRecord run = run_of(10, 10, 10);
  run.summary.reset();
  EXPECT_THAT(all_of(run), HasSubstr("Not known: the last job wrote no summary."));
  add_item(run, 0, 4, 5);
  add_item(run, 1, 3, 10);
  EXPECT_THAT(all_of(run),
              HasSubstr("By the journal, 2 items took 7.000 s of the 20.0 s that 2 replicas had: 35.0 %."));
}

TEST(Comparison, EfficiencyIsThroughputARankOverThatOfTheFewestRanks) {
  RunRecord one = run_of(10, 10, 10), two = run_of(6, 6, 6), text = run_of(6, 6, 6), killed = run_of(6, 6, 6);
  one.summary->ranks.resize(1);
  one.summary->ranks[0].items = 10;
  text.summary->text = true;
  text.summary->ranks[0].tokens = 50;
  killed.summary.reset();
  const auto each = efficiencies({two, one, text, killed});
  EXPECT_NEAR(each[0].value(), (10 / 6.0 / 2) / (10 / 10.0), 1e-12);
  EXPECT_DOUBLE_EQ(each[1].value(), 1);
  EXPECT_FALSE(each[2].has_value()) << "tokens are no images";
  EXPECT_FALSE(each[3].has_value());
}

}  // namespace trireme::report
