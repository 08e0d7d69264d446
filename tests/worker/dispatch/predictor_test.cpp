#include "worker/dispatch/predictor.h"

#include <gtest/gtest.h>

namespace trireme {
namespace {

TEST(Predictor, TakesTheCostModelAtItsWordBeforeAnythingIsMeasured) {
  const Predictor predictor({{2}, {6}}, 2);
  EXPECT_FALSE(predictor.measured());
  EXPECT_DOUBLE_EQ(predictor.work(1) / predictor.work(0), 3);
  EXPECT_EQ(predictor.speed(0), predictor.speed(1));
}

TEST(Predictor, LearnsTheSpeedOfEachReplicaFromMeasuredSeconds) {
  Predictor predictor(std::vector<UnitWork>(20), 3);
  for (std::size_t i = 0; i < 3; ++i) {
    predictor.finished(i, 0, 0.5, 0);
    predictor.finished(i + 3, 1, 2, 0);
  }
  EXPECT_TRUE(predictor.measured());
  EXPECT_NEAR(predictor.speed(0) / predictor.speed(1), 4, 1e-9);
  EXPECT_GT(predictor.speed(2), predictor.speed(1)) << "not known yet: taken for an average one";
  EXPECT_LT(predictor.speed(2), predictor.speed(0));
  EXPECT_NEAR(predictor.seconds(7, 0), 0.5, 0.3);
}

TEST(Predictor, ForgetsAWarmUpAfterTwoUnits) {
  Predictor predictor(std::vector<UnitWork>(9), 1);
  predictor.finished(0, 0, 30, 0);
  predictor.finished(1, 0, 1, 0);
  EXPECT_NEAR(predictor.speed(0), 1, 0.9);
  predictor.finished(2, 0, 1, 0);
  const double settled = predictor.speed(0);
  predictor.finished(3, 0, 1, 0);
  EXPECT_NEAR(predictor.speed(0) / settled, 1, 0.2);
}

TEST(Predictor, NoticesAReplicaThatSlowsDownAfterTwoUnits) {
  Predictor predictor(std::vector<UnitWork>(30), 2);
  for (std::size_t i = 0; i < 10; ++i) {
    predictor.finished(2 * i, 0, 1, 0);
    predictor.finished(2 * i + 1, 1, 1, 0);
  }
  predictor.finished(20, 0, 3, 0);
  EXPECT_NEAR(predictor.speed(0) / predictor.speed(1), 1, 0.05) << "one may be by chance";
  predictor.finished(21, 0, 3, 0);
  EXPECT_NEAR(predictor.speed(0) / predictor.speed(1), 1.0 / 3, 0.1);
}

TEST(Predictor, SaysWhichReplicaIsMuchSlowerThanTheMedian) {
  Predictor predictor(std::vector<UnitWork>(60), 4);
  std::size_t unit = 0;
  for (int round = 0; round < 3; ++round) {
    for (int r = 0; r < 4; ++r) {
      EXPECT_FALSE(predictor.much_slower(r)) << "too few units to say";
      predictor.finished(unit++, r, r == 2 ? 1.7 : r == 3 ? 1.4 : 1, 0);
    }
  }
  EXPECT_FALSE(predictor.much_slower(0));
  EXPECT_TRUE(predictor.much_slower(2));
  EXPECT_FALSE(predictor.much_slower(3)) << "1.4 times";
  for (int i = 0; i < 3; ++i) predictor.finished(unit++, 2, 1, 0);
  EXPECT_FALSE(predictor.much_slower(2)) << "again as fast as the others";
}

TEST(Predictor, ASlowReplicaIsSaidOfTwoButNotOfOne) {
  for (const int replicas : {1, 2}) {
    Predictor predictor(std::vector<UnitWork>(20), replicas);
    for (std::size_t i = 0; i < 12; ++i) {
      const int replica = static_cast<int>(i) % replicas;
      predictor.finished(i, replica, replica == 0 ? 5 : 1, 0);
    }
    EXPECT_EQ(predictor.much_slower(0), replicas == 2);
  }
}

TEST(Predictor, LearnsWhatTheCostModelGetsWrongAboutASize) {
  // The model says 1 : 4; measured is 1 : 8.
  std::vector<UnitWork> units;
  for (int i = 0; i < 100; ++i) units.push_back({i % 2 == 0 ? 1.0 : 4.0});
  Predictor predictor(units, 1);
  for (std::size_t i = 0; i < 80; ++i) predictor.finished(i, 0, i % 2 == 0 ? 1 : 8, 0);
  EXPECT_NEAR(predictor.seconds(91, 0) / predictor.seconds(90, 0), 8, 0.8);
  EXPECT_NEAR(predictor.seconds(91, 0), 8, 1.2);
}

TEST(Predictor, EstimatesTheLengthOfAnswersFromThoseSeen) {
  Predictor predictor(std::vector<UnitWork>(200, {0, 0.01, 500}), 1);
  for (std::size_t i = 0; i < 100; ++i) predictor.finished(i, 0, 1, 100);
  EXPECT_NEAR(predictor.seconds(150, 0), 1, 0.1) << "a hundred tokens of the five hundred allowed";
}

TEST(Predictor, MeasuresUnitsThatAreUnderWayTogetherTogether) {
  // Three come home at a time: after three seconds the first, and at once the others.
  Predictor predictor(std::vector<UnitWork>(30), 1, 3);
  for (std::size_t i = 0; i < 9; ++i) predictor.finished(i, 0, i % 3 == 0 ? 3 : 1e-6, 0);
  EXPECT_NEAR(predictor.seconds(20, 0), 1, 1e-3);
}

}  // namespace
}  // namespace trireme
