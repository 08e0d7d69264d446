#include "common/stage_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/error_of.h"

namespace trireme {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// One pass; attention and feed-forward cost a second each.
UnitCost even_cost(int layers) {
  UnitCost cost;
  cost.layers = layers;
  cost.passes = {{.count = 1, .slots = 1, .attention = 1, .feed_forward = 1}};
  return cost;
}

double busiest(const UnitCost& cost, const std::vector<int>& cuts) {
  double most = 0;
  for (std::size_t stage = 0; stage + 1 < cuts.size(); ++stage) {
    most = std::max(most, stage_seconds(cost, cuts, stage));
  }
  return most;
}

/// Every way to cut, tried.
double best_of_all(const UnitCost& cost, int stages, std::vector<int> cuts = {0}) {
  const int halves = 2 * cost.layers, left = stages - static_cast<int>(cuts.size());
  if (left == 0) {
    cuts.push_back(halves);
    return busiest(cost, cuts);
  }
  double best = 1e300;
  for (int next = cuts.back() + 1; next <= halves - left; ++next) {
    std::vector<int> more = cuts;
    more.push_back(next);
    best = std::min(best, best_of_all(cost, stages, more));
  }
  return best;
}

Job job_of(int stages, std::optional<std::vector<double>> split = {}) {
  Job job;
  job.file = "job.yaml";
  job.parallel.stages = stages;
  job.parallel.split = std::move(split);
  return job;
}

std::string refusal(int stages, std::optional<std::vector<double>> split = {}) {
  return error_of([&] { stage_cuts(job_of(stages, split), even_cost(4)); }).what();
}

TEST(StageSplit, SharesEvenLayersEvenly) {
  EXPECT_THAT(cut_by_cost(even_cost(4), 2), ElementsAre(0, 4, 8));
  EXPECT_THAT(cut_by_cost(even_cost(30), 4), ElementsAre(0, 15, 30, 45, 60)) << "in the middle of layers";
  UnitCost nothing;
  nothing.layers = 4;
  EXPECT_THAT(cut_by_cost(nothing, 4), ElementsAre(0, 2, 4, 6, 8)) << "even where nothing costs anything";
}

TEST(StageSplit, LeavesRoomForWhatStagesDoBeside) {
  UnitCost cost = even_cost(8);
  cost.encode = 2, cost.decode = 4;
  cost.passes[0].enter = cost.passes[0].leave = 1;
  const std::vector<int> cuts = cut_by_cost(cost, 3);
  EXPECT_NEAR(busiest(cost, cuts), 7 + 4.0 / 3, 1e-12) << split_text(cuts) << ": of decoding each has its share";
  EXPECT_DOUBLE_EQ(cost.total(), 24);
}

TEST(StageSplit, FindsTheBestOfAllCuts) {
  std::uint64_t random = 7;
  const auto draw = [&random] {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(random >> 40) / 1e6;
  };
  for (int round = 0; round < 200; ++round) {
    UnitCost cost = even_cost(4 + round % 3);
    cost.passes[0].attention = draw(), cost.passes[0].feed_forward = draw();
    cost.encode = 3 * draw(), cost.decode = 5 * draw();
    for (int stages = 1; stages <= 4; ++stages) {
      const std::vector<int> cuts = cut_by_cost(cost, stages);
      EXPECT_NEAR(busiest(cost, cuts), best_of_all(cost, stages), 1e-5) << split_text(cuts);
    }
  }
}

TEST(StageSplit, FollowsTheJobsOwn) {
  EXPECT_THAT(stage_cuts(job_of(4, {{8, 8, 7, 7}}), even_cost(30)), ElementsAre(0, 16, 32, 46, 60));
  EXPECT_THAT(stage_cuts(job_of(2, {{14.5, 15.5}}), even_cost(30)), ElementsAre(0, 29, 60));
  EXPECT_EQ(split_text({0, 29, 60}), "14.5, 15.5");
}

TEST(StageSplit, RefusesWhatCanNotBeWithTheNumbers) {
  EXPECT_THAT(refusal(5), AllOf(HasSubstr("job.yaml"), HasSubstr("5 are more than the 4 layers")));
  EXPECT_THAT(refusal(2, {{2, 1, 1}}), HasSubstr("is for 3 stages, parallel.stages is 2"));
  EXPECT_THAT(refusal(2, {{2, 2.5}}), HasSubstr("are 4.5 layers, the model has 4"));
}

}  // namespace
}  // namespace trireme
