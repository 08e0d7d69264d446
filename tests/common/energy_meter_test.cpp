#include "common/energy_meter.h"

#include <gtest/gtest.h>

namespace trireme {

TEST(EnergyMeter, IntegratesPowerBetweenSamples) {
  EnergyMeter meter;
  meter.add(0, 100, {});
  meter.add(10, 300, {});
  EXPECT_DOUBLE_EQ(meter.joules(10).value(), 2000);
}

TEST(EnergyMeter, TakesTheCounterWhereThereIsOne) {
  EnergyMeter meter;
  meter.add(0, 100, 50'000);
  meter.add(10, 100, 54'000);
  EXPECT_DOUBLE_EQ(meter.joules(10).value(), 4000) << "the power was higher between the samples";
}

TEST(EnergyMeter, HoldsTheFirstAndTheLastPowerWhereNothingWasSampled) {
  EnergyMeter meter;
  meter.add(2, 100, {});
  meter.add(4, 200, {});
  EXPECT_DOUBLE_EQ(meter.joules(10).value(), 2 * 100 + 2 * 150 + 6 * 200);
}

TEST(EnergyMeter, LeavesOutWhatWasBeforeTheLoop) {
  EnergyMeter meter;
  meter.add(-10, 100, {});
  meter.add(10, 100, {});
  EXPECT_DOUBLE_EQ(meter.joules(10).value(), 1000);
  EnergyMeter only_before;
  only_before.add(-5, 100, {});
  EXPECT_DOUBLE_EQ(only_before.joules(4).value(), 400);
}

TEST(EnergyMeter, CutsOffBehindTheEnd) {
  EnergyMeter meter;
  meter.add(0, 100, {});
  meter.add(10, 100, {});
  EXPECT_DOUBLE_EQ(meter.joules(8).value(), 800);
}

TEST(EnergyMeter, SaysNothingOfAGpuThatSaidNothing) {
  EnergyMeter meter;
  EXPECT_FALSE(meter.joules(10).has_value());
  meter.add(1, {}, {});
  meter.add(2, {}, 5000);
  EXPECT_FALSE(meter.joules(10).has_value()) << "one reading of a counter is no difference";
}

TEST(EnergyMeter, IgnoresACounterThatStandsStillOrWentBack) {
  EnergyMeter still;
  still.add(0, 100, 9000);
  still.add(10, 100, 9000);
  EXPECT_DOUBLE_EQ(still.joules(10).value(), 1000);
  EnergyMeter meter;
  meter.add(0, 100, 9000);
  meter.add(10, 100, 10);  // the driver was loaded again
  EXPECT_DOUBLE_EQ(meter.joules(10).value(), 1000);
}

}  // namespace trireme
