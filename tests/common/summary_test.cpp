#include "common/summary.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

Summary two_ranks() {
  Summary summary;
  summary.run_id = "run";
  summary.exit_code = 3;
  summary.carrier = "nccl";
  summary.policy = "least_loaded";
  summary.facts = {{"torch", "2.11.0"}};
  summary.total = 12;
  summary.done = 11;
  summary.failed = 1;
  summary.seconds = 4;
  summary.ranks.resize(2);
  summary.ranks[0] = {0, "h0", "gpu", 6, 0, {1, 0.5, 0, 8, 1, 0, 2}, 4, 0, 0.003, 1000, 10, 100, 6, 6'000'000};
  summary.ranks[1] = {1, "h1", "gpu", 4, 0, {3, 0.25, 0, 6, 1, 1, 0}, 3, 1, 0.005, 2000, 20, 400, 4, 4'000'000};
  return summary;
}

}  // namespace

TEST(Summary, CountsTheItemsOfThisJobAndItsRate) {
  EXPECT_EQ(two_ranks().made(), 10u);
  EXPECT_DOUBLE_EQ(two_ranks().items_per_second(), 2.5);
  Summary nothing;
  nothing.ranks.resize(1);
  EXPECT_EQ(nothing.items_per_second(), 0);
  EXPECT_EQ(nothing.balance(), 1);
}

TEST(Summary, SpreadsEachPhaseOverTheRanks) {
  const Spread load = spread_of(two_ranks(), RankPhase::load);
  EXPECT_DOUBLE_EQ(load.min, 1);
  EXPECT_DOUBLE_EQ(load.average, 2);
  EXPECT_DOUBLE_EQ(load.max, 3);
  EXPECT_DOUBLE_EQ(spread_of(two_ranks(), RankPhase::write).max, 2);
}

TEST(Summary, WhatRanBesideStepsCountsWithThem) {
  RankSummary rank;
  rank.seconds = {1, 2, 0, 10, 6, 0, 0};  // load, encode, prefill, denoise, decode, transfer, write
  rank.busy_seconds = 18;
  EXPECT_DOUBLE_EQ(rank.seconds_alone(RankPhase::decode), 6);
  rank.busy_seconds = 14;  // half of the encoding and decoding was beside steps
  EXPECT_DOUBLE_EQ(rank.seconds_alone(RankPhase::encode), 1);
  EXPECT_DOUBLE_EQ(rank.seconds_alone(RankPhase::denoise), 10);
  EXPECT_DOUBLE_EQ(rank.seconds_alone(RankPhase::decode), 3);
  EXPECT_DOUBLE_EQ(rank.seconds_alone(RankPhase::load), 1);
  rank.busy_seconds = 9;
  EXPECT_DOUBLE_EQ(rank.seconds_alone(RankPhase::decode), 0);
}

TEST(Summary, OfTextCountsTokensAndRequests) {
  Summary text = two_ranks();
  EXPECT_FALSE(nlohmann::json::parse(to_text(text)).contains("tokens"));
  text.text = true;
  text.ranks[0].tokens = 300;
  text.ranks[1].tokens = 100;
  const auto json = nlohmann::json::parse(to_text(text));
  EXPECT_EQ(json["tokens"], 400);
  EXPECT_EQ(json["tokens_per_second"], 100.0);
  EXPECT_EQ(json["ranks"][0]["tokens"], 300);
  EXPECT_NE(closing_table(text).find("on 2 ranks, 2.500 requests/s, 100.0 tokens/s\n"), std::string::npos);
}

TEST(Summary, HasTheStepsOfTheStartInOrder) {
  Summary started = two_ranks();
  started.start_up = {{"libraries", 0.5}, {"MPI", 0.25}, {"first result", 1}};
  EXPECT_EQ(nlohmann::ordered_json::parse(to_text(started))["start_up"].dump(),
            R"({"libraries":0.5,"MPI":0.25,"first result":1.0})");
}

TEST(Summary, SaysHowManyResultsAreDegraded) {
  Summary summary = two_ranks();
  EXPECT_EQ(closing_table(summary).find("degraded"), std::string::npos);
  summary.degraded = 3;
  EXPECT_EQ(nlohmann::json::parse(to_text(summary))["items"]["degraded"], 3);
  EXPECT_NE(closing_table(summary).find("# 3 degraded: memory was short"), std::string::npos);
}

TEST(Summary, BalanceIsMeanOverMaximumOfTheBusyTime) { EXPECT_DOUBLE_EQ(two_ranks().balance(), 3.5 / 4); }

TEST(Summary, JsonHasTotalsPhasesRanksAndTraffic) {
  const auto json = nlohmann::json::parse(to_text(two_ranks()));
  EXPECT_EQ(json["items"]["made_by_this_job"], 10);
  EXPECT_EQ(json["exit_code"], 3);
  EXPECT_EQ(json["phases"]["denoise"]["average"], 7);
  EXPECT_EQ(json["ranks"][1]["seconds"]["load"], 3);
  EXPECT_EQ(json["ranks"][1]["sent"]["nccl"]["bytes"], 4'000'000);
  EXPECT_EQ(json["ranks"][1]["sent"]["control"]["messages"], 20);
  EXPECT_EQ(json["facts"]["torch"], "2.11.0");
}

TEST(Summary, ComesBackFromItsFile) {
  Summary summary = two_ranks();
  summary.lower_bound_seconds = 3.5;
  summary.energy_joules = 4200;
  summary.energy_gpus = 2;
  summary.replicas = 2;
  summary.start_up = {{"weights", 1.5}, {"MPI", 0.5}};
  summary.ranks[1].gpu_uuid = "GPU-1";
  summary.pipeline = PipelineSummary{2, "3.5 4", {0.1, 0.2, 0.3}, {0.4, 0.5, 0.6}, 7, 8};
  const TemporaryFolder folder;
  write_summary(folder / "summary.json", summary);
  const Summary back = read_summary(folder / "summary.json");
  EXPECT_EQ(to_text(back), to_text(summary));
  EXPECT_DOUBLE_EQ(back.over_lower_bound(), 4 / 3.5);
  EXPECT_DOUBLE_EQ(back.joules_per_item(), 420);
}

TEST(Summary, OfAnotherVersionIsReadAsFarAsItGoes) {
  const TemporaryFolder folder;
  const auto file =
      folder.write("summary.json", R"({"seconds": 2, "new_key": [1], "ranks": [{"rank": 0, "items": 3}]})");
  const Summary summary = read_summary(file);
  EXPECT_EQ(summary.made(), 3u);
  EXPECT_EQ(summary.lower_bound_seconds, 0);
  EXPECT_FALSE(summary.energy_joules.has_value());
  for (const char* damaged : {"", "{}", R"({"ranks": []})", R"({"ranks": [{"items": "three"}]})", R"({"ranks": 7)"}) {
    folder.write("summary.json", damaged);
    EXPECT_EQ(error_of([&] { read_summary(file); }).code(), ExitCode::bad_data) << damaged;
  }
}

TEST(Summary, TheClosingTableSaysLowerBoundAndEnergyWhereTheyAreKnown) {
  Summary summary = two_ranks();
  summary.replicas = 2;
  summary.lower_bound_seconds = 3.2;
  summary.energy_joules = 4200;
  summary.energy_gpus = 2;
  const std::string table = closing_table(summary);
  EXPECT_NE(
      table.find("# lower bound 3.200 s (the same work spread evenly over 2 replicas): this job took 1.250 of it\n"
                 "# energy of 2 GPUs: 4200 J, 420.0 J an image\n"),
      std::string::npos)
      << table;
}

TEST(Summary, TheClosingTableHasRateAndPhases) {
  EXPECT_EQ(closing_table(two_ranks()),
            "# 11 of 12 items done, 1 failed; this job: 10 items in 4.00 s on 2 ranks, 2.500 images/s\n"
            "# phase        min s/rank   avg s/rank   max s/rank\n"
            "  load              1.000        2.000        3.000\n"
            "  encode            0.250        0.375        0.500\n"
            "  denoise           6.000        7.000        8.000\n"
            "  decode            1.000        1.000        1.000\n"
            "  transfer          0.000        0.500        1.000\n"
            "  write             0.000        1.000        2.000\n"
            "  busy              3.000        3.500        4.000\n"
            "  idle              0.000        0.500        1.000\n"
            "# balance 0.875 (mean/max busy) · longest loop pass 5.0 ms on rank 1\n"
            "# sent over nccl: 10.000 MB in 10 transfers · control over MPI: 0.001 MB in 30 messages\n");
}

}  // namespace trireme
