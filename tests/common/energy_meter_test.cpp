#include "common/energy_meter.h"

#include <gtest/gtest.h>

namespace trireme {

using Counter = EnergyMeter::Counter;

TEST(EnergyMeter, IntegratesPowerBetweenSamples) {
  EnergyMeter meter;
  meter.add(0, 100, {});
  meter.add(10, 300, {});
  EXPECT_DOUBLE_EQ(meter.joules(10).value(), 2000);
}

TEST(EnergyMeter, TakesTheCounterWhereThereIsOne) {
  EnergyMeter meter;
  meter.add(0, 100, Counter{0, 50'000});
  meter.add(10, 100, Counter{10, 54'000});
  EXPECT_DOUBLE_EQ(meter.joules(10).value(), 4000) << "the power was higher between the samples";
}

TEST(EnergyMeter, TakesACounterThatIsReadRarelyForAllTheTimeBetween) {
  EnergyMeter meter;
  meter.add(0, 100, Counter{0, 50'000});
  for (const double second : {2, 4, 6}) meter.add(second, 300, Counter{0, 50'000});
  meter.add(8, 100, Counter{8, 51'234});
  EXPECT_DOUBLE_EQ(meter.joules(8).value(), 1234);
  meter.add(10, 200, Counter{8, 51'234});
  EXPECT_DOUBLE_EQ(meter.joules(10).value(), 1234 + 2 * 150) << "since then the power";
}

TEST(EnergyMeter, DividesACounterThatWasReadBeforeTheLoopAsThePowerWas) {
  EnergyMeter meter;
  meter.add(-10, 100, Counter{-10, 0});
  meter.add(0, 100, {});
  meter.add(0, 300, {});
  meter.add(10, 300, Counter{10, 8000});  // 4000 by the power
  EXPECT_DOUBLE_EQ(meter.joules(10).value(), 6000);
}

TEST(EnergyMeter, KnowsWhenACounterThatIsCarriedWasRead) {
  GpuSample gpu;
  gpu.power_watts = 100;
  gpu.energy_joules = 1000;
  EnergyMeter meter;
  meter.add(-4, gpu);
  gpu.energy_joules = 1300;
  gpu.age_seconds["energy"] = 5;
  meter.add(5, gpu);  // read at 0
  EXPECT_DOUBLE_EQ(meter.joules(5).value(), 500);
  gpu.energy_joules = 2500;
  gpu.age_seconds.clear();
  meter.add(10, gpu);
  EXPECT_DOUBLE_EQ(meter.joules(10).value(), 1200);
}

TEST(EnergyMeter, NeedsNoPowerWhereThereAreCounters) {
  EnergyMeter meter;
  meter.add(-10, {}, Counter{-10, 1000});
  meter.add(10, {}, Counter{10, 3000});
  EXPECT_DOUBLE_EQ(meter.joules(10).value(), 1000);
  EXPECT_DOUBLE_EQ(meter.joules(12).value(), 1200);
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
  meter.add(2, {}, Counter{2, 5000});
  EXPECT_FALSE(meter.joules(10).has_value()) << "one reading of a counter is no difference";
}

TEST(EnergyMeter, IgnoresACounterThatStandsStillOrWentBack) {
  EnergyMeter still;
  still.add(0, 100, Counter{0, 9000});
  still.add(10, 100, Counter{10, 9000});
  EXPECT_DOUBLE_EQ(still.joules(10).value(), 1000);
  EnergyMeter meter;
  meter.add(0, 100, Counter{0, 9000});
  meter.add(10, 100, Counter{10, 10});  // the driver was loaded again
  EXPECT_DOUBLE_EQ(meter.joules(10).value(), 1000);
  meter.add(20, 100, Counter{20, 3010});
  EXPECT_DOUBLE_EQ(meter.joules(20).value(), 4000) << "and counts from there";
}

}  // namespace trireme
