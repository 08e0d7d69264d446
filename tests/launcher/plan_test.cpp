#include "launcher/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/files.h"
#include "launcher/bench_strategies.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

using testing::HasSubstr;

class PlanTest : public testing::Test {
 protected:
  PlanTest() {
    std::string prompts;
    for (int i = 0; i < 32; ++i) prompts += "picture " + std::to_string(i) + "\n";
    write_file(folder_ / "prompts.txt", prompts);
    write_file(folder_ / "job.yaml", "model: {path: " + std::string(TRIREME_SOURCE_DIR) +
                                         "/bench/shapes/z_image_turbo, weights: dummy}\ninput: {prompts: prompts.txt}\n"
                                         "output: {directory: " +
                                         (folder_ / "run").string() + "}\n");
  }
  PlanOptions options(int ranks) const {
    PlanOptions options;
    options.job = folder_ / "job.yaml";
    options.ranks = ranks;
    options.device = "NVIDIA H200";
    return options;
  }
  const TemporaryFolder folder_;
};

TEST_F(PlanTest, ListsEveryWayThatDividesTheRanksAndChoosesTheFastest) {
  const PlanResult plan = make_plan(options(4));
  ASSERT_EQ(plan.all.size(), 3u);
  EXPECT_EQ(plan.all[0].replicas, 4);
  EXPECT_EQ(plan.all[1].stages, 2);
  EXPECT_EQ(plan.all[2].stages, 4);
  EXPECT_EQ(best_of(plan.all)->stages, 1) << "the model fits on one card";
  EXPECT_THAT(to_text(plan), HasSubstr("choose parallel.stages: 1 (4 replicas)"));
  for (const Strategy& one : plan.all) {
    EXPECT_GT(one.efficiency, 0.85);
    EXPECT_LE(one.efficiency, 1.01) << "the first encoding of each replica is before its clock";
  }
  EXPECT_GT(plan.all[2].ring.loss.fill, plan.all[1].ring.loss.fill);
}

// 18.86 GiB of weights and 20.3 GiB at most were measured on one H200: docs/performance.md.
TEST_F(PlanTest, KnowsTheMemoryOfTheReleasedShapes) {
  const PlanResult plan = make_plan(options(2));
  constexpr double kGiB = 1024.0 * 1024 * 1024;
  EXPECT_NEAR(plan.all[0].memory.at(0).weights / kGiB, 18.86, 0.2);
  EXPECT_NEAR(plan.all[0].largest_memory() / kGiB, 20.3, 0.5);
  const double both = plan.all[1].memory.at(0).weights + plan.all[1].memory.at(1).weights;
  EXPECT_NEAR(both / kGiB, 18.86, 0.2);
}

TEST_F(PlanTest, ChoosesStagesWhereOneRankHasNoRoomAndSaysSoWithTheNumbers) {
  PlanOptions small = options(4);
  small.memory_gib = 16;
  const PlanResult plan = make_plan(small);
  EXPECT_FALSE(plan.all[0].fits);
  EXPECT_GT(best_of(plan.all)->stages, 1);
  EXPECT_THAT(to_text(plan), HasSubstr("GiB on one rank, 14.40 GiB are there (memory.fraction 0.90)"));
  small.memory_gib = 2;
  EXPECT_THAT(to_text(make_plan(small)), HasSubstr("none fits"));
}

TEST_F(PlanTest, KnowsWhatWeightsOnTheHostSaveAndCost) {
  constexpr double kGiB = 1024.0 * 1024 * 1024;
  PlanOptions with = options(1);
  with.memory_gib = 16;
  EXPECT_FALSE(make_plan(with).all[0].fits);
  with.overrides = {"memory.offload=text_encoder"};
  const PlanResult encoder = make_plan(with);
  EXPECT_TRUE(encoder.all[0].fits) << encoder.all[0].largest_memory() / kGiB;
  with.memory_gib = 8;
  EXPECT_FALSE(make_plan(with).all[0].fits);
  with.overrides = {"memory.offload=layers"};
  const PlanResult layers = make_plan(with);
  EXPECT_TRUE(layers.all[0].fits) << layers.all[0].largest_memory() / kGiB;
  EXPECT_GT(layers.all[0].memory.at(0).weights, 0);
  EXPECT_GE(encoder.all[0].seconds, make_plan(options(1)).all[0].seconds);
  EXPECT_THAT(to_text(layers), HasSubstr("GB of layers come from the host in a pass"));
  PlanOptions one_picture = with;
  write_file(folder_ / "prompts.txt", "one\n");
  EXPECT_GT(make_plan(one_picture).all[0].seconds, layers.all[0].seconds / 32 * 1.2) << "nobody shares its visits";
}

TEST_F(PlanTest, SaysThatDecodingFromTheHostIsSlow) {
  write_file(folder_ / "job.yaml", "model: {path: " + std::string(TRIREME_SOURCE_DIR) +
                                       "/bench/shapes/qwen2_5_vl_7b, weights: dummy}\ninput: {prompts: prompts.txt}\n"
                                       "memory: {offload: layers}\noutput: {directory: " +
                                       (folder_ / "run").string() + "}\n");
  const PlanResult plan = make_plan(options(1));
  EXPECT_THAT(to_text(plan), HasSubstr("for every token of a unit: at least"));
  EXPECT_GT(plan.all[0].seconds, 2 * 128 * 13e9 / 55e9) << "13 GB a token";
}

TEST_F(PlanTest, TakesWhatAnEarlierRunMeasured) {
  std::filesystem::create_directories(folder_ / "run");
  const auto summary = [&](double denoise, double busy = 100) {
    const nlohmann::json seconds{{"encode", 0.08}, {"denoise", denoise}, {"decode", 0.16}};
    nlohmann::json json{{"facts", {{"device", "NVIDIA H200"}}},
                        {"ranks", {{{"items", 4}, {"seconds", seconds}, {"busy_seconds", busy}}}}};
    write_file(folder_ / "run/summary.json", json.dump());
  };
  summary(4 * 0.85);
  const PlanResult plan = make_plan(options(1));
  EXPECT_TRUE(plan.measured);
  EXPECT_NEAR(plan.all[0].seconds, 32 * (0.85 + 0.02 + 0.04) - 0.02, 1e-6);
  summary(4 * 1.7);
  EXPECT_NEAR(make_plan(options(1)).all[0].seconds, 32 * (1.7 + 0.02 + 0.04) - 0.02, 1e-6);
  const auto json = nlohmann::json::parse(to_json(plan));
  EXPECT_EQ(json.at("best_stages"), 1);
  EXPECT_NEAR(json.at("strategies").at(0).at("items_per_second").get<double>(), 32 / (32 * 0.91 - 0.02), 1e-6);
  summary(4 * 0.85, 4 * 0.88);
  const double half = make_plan(options(1)).all[0].seconds;
  summary(4 * 0.85, 4 * 0.84);
  const double all = make_plan(options(1)).all[0].seconds;
  EXPECT_NEAR(half - all, 32 * (0.88 - 0.85), 1e-6) << "half of the rest was done beside the steps, or all of it";
  EXPECT_NEAR(all, 32 * 0.85, 0.02) << "less the first encoding, which takes what the sizes say";
}

// One H200 made eight pictures so (bench/pipeline_gpu), four of them as stages 4.758 a second; docs/pipelines.md.
TEST_F(PlanTest, TakesWhatRanBesideTheStepsForWhatTheSizesSay) {
  std::filesystem::create_directories(folder_ / "run");
  const nlohmann::json seconds{{"encode", 0.3716}, {"denoise", 6.1237}, {"decode", 1.0045}};
  nlohmann::json json{{"facts", {{"device", "NVIDIA H200"}}},
                      {"ranks", {{{"items", 8}, {"seconds", seconds}, {"busy_seconds", 6.1517}}}}};
  write_file(folder_ / "run/summary.json", json.dump());
  std::string prompts;
  for (int i = 0; i < 8; ++i) prompts += "a small boat on a lake under a blue sky, number " + std::to_string(i) + "\n";
  write_file(folder_ / "prompts.txt", prompts);
  EXPECT_NEAR(make_plan(options(1)).all[0].seconds, 6.15, 0.02) << "the steps are as much shorter";
  const Strategy four = make_plan(options(4)).all[2];
  EXPECT_NEAR(four.items_per_second, 4.758, 0.05 * 4.758);
  EXPECT_NEAR(four.ring.loss.fill, 0.053, 0.02);
  EXPECT_NEAR(four.ring.loss.imbalance, 0.039, 0.02) << "decoding lengthens slots";
}

TEST(StrategyTable, HasARowForEachRunAndAChart) {
  std::vector<StrategyRow> rows(3);
  rows[0].per_second = 1;
  rows[1] = {.ranks = 4, .stages = 1, .per_second = 3.6, .efficiency = 0.9};
  rows[2] = {
      .ranks = 4, .stages = 2, .per_second = 3.2, .efficiency = 0.8, .lost_measured = 0.1, .lost_predicted = 0.09};
  rows[2].equal = false;
  const std::string table = to_table(rows);
  EXPECT_THAT(table, HasSubstr("| DP 4 | 4 | 3.600 |"));
  EXPECT_THAT(table, HasSubstr("| DP 2 x PP 2 | 4 | 3.200 |"));
  EXPECT_THAT(table, HasSubstr("| 0.800 | 10.0 | 9.0 |"));
  EXPECT_THAT(table, HasSubstr("DIFFERENT"));
  EXPECT_THAT(to_chart(rows), HasSubstr("3.200 (0.800)"));
}

}  // namespace
}  // namespace trireme
