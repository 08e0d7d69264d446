#include "worker/monitor/pipeline_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "worker/monitor/trace.h"

namespace trireme {
namespace {

Span slot(std::int64_t number, std::uint64_t unit, double begin, double seconds) {
  return {SpanKind::slot, unit, number, 0, 0, begin, seconds};
}

/// Two stages, two units of one pass: one second a slot on the first, two on the second, and a decoding at the end.
std::vector<RankReport> two_stages() {
  std::vector<RankReport> ranks(2);
  ranks[1].rank = 1;
  ranks[0].host = ranks[1].host = "h<0>";
  ranks[0].spans = {{SpanKind::encode, 0, -1, 0, 0, 0.5, 0.5}, slot(0, 0, 1, 1), slot(1, 1, 2, 1)};
  ranks[1].spans = {slot(0, 0, 2, 2), slot(1, 1, 4, 2), {SpanKind::decode, 1, -1, 0, 0, 6, 0.5}};
  return ranks;
}

TEST(PipelineReport, NamesWhereTheTimeOfTwoStagesWent) {
  const std::vector<RankReport> ranks = two_stages();
  const MeasuredRing ring = measure_ring({&ranks[0], &ranks[1]});
  EXPECT_DOUBLE_EQ(ring.seconds, 5.5) << "from the first entry at 1 to the last decoding's end at 6.5";
  // The second stage waits for its first slot, the first one from 3 on for the end: 11 stage seconds.
  EXPECT_DOUBLE_EQ(ring.loss.fill * 11, 1 + 3.5);
  EXPECT_DOUBLE_EQ(ring.loss.imbalance * 11, 0);
  EXPECT_NEAR(ring.loss.transfer, 0, 1e-12);
  EXPECT_DOUBLE_EQ(work_seconds(ranks), 5.5);
  EXPECT_DOUBLE_EQ(mean_latency(ranks), ((4 - 0.5) + (6.5 - 2)) / 2);
}

TEST(PipelineReport, CountsGapsBetweenFullSlotsAsTransfer) {
  std::vector<RankReport> ranks(2);
  for (std::int64_t i = 0; i < 10; ++i) {
    const double begin = 1.1 * static_cast<double>(i);
    ranks[0].spans.push_back(slot(i, 0, begin, 1));
    ranks[1].spans.push_back(slot(i, 0, begin + 1.1, 1));
  }
  const MeasuredRing ring = measure_ring({&ranks[0], &ranks[1]});
  EXPECT_NEAR(ring.seconds, 12, 1e-9);
  EXPECT_NEAR(ring.loss.fill, 2.0 / 24, 1e-9);
  EXPECT_NEAR(ring.loss.transfer, 2.0 / 24, 1e-9);
}

TEST(Timeline, IsAChromeTraceAndAPicture) {
  const Layout layout{2, 2, 1};
  const std::vector<RankReport> ranks = two_stages();
  const std::vector<ResultSpan> results{{ResultSpan::Kind::write, 0, "item <1>", 106, 0.25}};
  const Timeline timeline{layout, ranks, results, 2, 100};
  const auto json = nlohmann::json::parse(chrome_trace(timeline));
  double slots = 0;
  bool write = false;
  for (const auto& event : json.at("traceEvents")) {
    if (event.value("cat", "") == "slot") slots += event.at("dur").get<double>() / 1e6;
    if (event.value("cat", "") != "write") continue;
    write = true;
    EXPECT_EQ(event.at("pid"), 1) << "results are the last stage's";
    EXPECT_NEAR(event.at("ts").get<double>(), 6e6, 1);
  }
  EXPECT_NEAR(slots, 6, 1e-9);
  EXPECT_TRUE(write);
  const std::string svg = gantt_svg(timeline);
  EXPECT_NE(svg.find("rank 1</text>"), std::string::npos);
  EXPECT_NE(svg.find("slot unit 1 pass 0 half 0 (slot 1): 2000.000 ms"), std::string::npos);
}

}  // namespace
}  // namespace trireme
