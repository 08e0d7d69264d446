#include "worker/monitor/nvml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/job.h"
#include "tests/worker/monitor/fake_driver.h"
#include "worker/monitor/alerts.h"
#include "worker/monitor/gpu_sampler.h"

namespace trireme {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class NvmlTest : public test::FakeDriver {
 protected:
  static std::vector<GpuSample> sample() {
    auto nvml = Nvml::open(TRIREME_FAKE_NVML);
    return nvml ? GpuSampler(std::move(*nvml)).sample() : std::vector<GpuSample>();
  }
  static std::vector<Alert> alerts() { return find_alerts({{.host = "n1", .gpus = sample()}}, {}, {}); }
};

TEST_F(NvmlTest, ReadsEveryGpuInTheUnitsOfTheSample) {
  add_gpu();
  add_gpu().corrected = 7;
  const auto gpus = sample();
  ASSERT_EQ(gpus.size(), 2u);
  EXPECT_EQ(gpus[1].index, 1);
  EXPECT_EQ(gpus[1].uuid, "GPU-1");
  EXPECT_EQ(gpus[1].name, "Fake GPU");
  EXPECT_EQ(gpus[1].utilization_percent, 97);
  EXPECT_EQ(gpus[1].temperature_c, 61);
  EXPECT_EQ(gpus[1].power_watts, 651.5);
  EXPECT_EQ(gpus[1].energy_joules, 5000.25);
  EXPECT_EQ(gpus[1].sm_mhz, 1755);
  EXPECT_EQ(gpus[1].memory_used_bytes, 40ull << 30);
  EXPECT_EQ(gpus[1].memory_total_bytes, 80ull << 30);
  EXPECT_EQ(gpus[1].ecc_corrected, 7u);
  EXPECT_EQ(gpus[0].ecc_corrected, 0u);
  EXPECT_THAT(gpus[0].throttled, IsEmpty());
}

TEST_F(NvmlTest, LeavesOutWhatAGpuDoesNotHave) {
  add_gpu().has_ecc = false;
  const auto gpus = sample();
  ASSERT_EQ(gpus.size(), 1u);
  EXPECT_FALSE(gpus[0].ecc_uncorrected.has_value());
  EXPECT_TRUE(gpus[0].power_watts.has_value());
}

TEST_F(NvmlTest, KeepsTheNameOfALostGpuAndNothingElse) {
  add_gpu().lost = true;
  GpuSample only_names;
  only_names.uuid = "GPU-0";
  only_names.name = "Fake GPU";
  EXPECT_THAT(sample(), ElementsAre(only_names));
}

TEST_F(NvmlTest, NamesWhyTheClockIsLowButNotIdling) {
  add_gpu().throttle_reasons = 0x1 | 0x4 | 0x40 | 0x80;
  EXPECT_THAT(sample().at(0).throttled, ElementsAre("power_cap", "hardware_thermal", "power_brake"));
}

TEST_F(NvmlTest, IsShutDownAsOftenAsItWasStarted) {
  add_gpu();
  {
    const auto nvml = Nvml::open(TRIREME_FAKE_NVML);
    EXPECT_EQ(fake_->started, 1);
  }
  EXPECT_EQ(fake_->started, 0);
}

TEST_F(NvmlTest, ThatDoesNotStartIsNoDriver) {
  fake_->init_result = 9;  // the driver is not loaded
  EXPECT_FALSE(Nvml::open(TRIREME_FAKE_NVML).has_value());
  EXPECT_EQ(fake_->started, 0);
}

TEST_F(NvmlTest, IsAbsentWithoutItsLibrary) {
  EXPECT_FALSE(Nvml::open("no-such-library.so").has_value());
  EXPECT_FALSE(Nvml::open("libm.so.6").has_value()) << "a library without NVML's functions";
}

TEST_F(NvmlTest, RaisesNoAlertAtTheLimits) {
  test::FakeGpu& gpu = add_gpu();
  gpu.temperature = 85;
  gpu.memory_used = gpu.memory_total / 10 * 9;
  gpu.throttle_reasons = 0x4;  // a busy GPU at its power cap is where it should be
  EXPECT_THAT(alerts(), IsEmpty());
}

TEST_F(NvmlTest, RaisesAnAlertForHeat) {
  add_gpu();
  add_gpu().temperature = 86;
  EXPECT_THAT(alerts(), ElementsAre(Alert{"gpu_temperature", "n1", 1, "86 C"}));
}

TEST_F(NvmlTest, RaisesAnAlertForFullMemory) {
  test::FakeGpu& gpu = add_gpu();
  gpu.memory_used = gpu.memory_total / 100 * 95;
  EXPECT_THAT(alerts(), ElementsAre(Alert{"gpu_memory", "n1", 0, "95 % of the memory is used"}));
}

TEST_F(NvmlTest, RaisesAnAlertForEveryHarmfulReasonToThrottle) {
  test::FakeGpu& gpu = add_gpu();
  for (const unsigned long long reason : {0x08, 0x20, 0x40, 0x80}) {
    gpu.throttle_reasons = reason | 0x4;
    const auto found = alerts();
    ASSERT_EQ(found.size(), 1u) << reason;
    EXPECT_EQ(found[0].kind, "gpu_throttling");
    EXPECT_THAT(found[0].text, testing::Not(HasSubstr("power_cap")));
  }
}

TEST_F(NvmlTest, RaisesAnAlertForUncorrectedErrorsOnly) {
  add_gpu().corrected = 12;
  EXPECT_THAT(alerts(), IsEmpty());
  fake_->gpu[0].uncorrected = 1;
  ASSERT_EQ(alerts().size(), 1u);
  EXPECT_EQ(alerts()[0].kind, "gpu_ecc");
}

}  // namespace
}  // namespace trireme
