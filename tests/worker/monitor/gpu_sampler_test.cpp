#include "worker/monitor/gpu_sampler.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "tests/worker/monitor/fake_driver.h"

namespace trireme {
namespace {

using testing::IsEmpty;
using testing::Key;
using testing::UnorderedElementsAre;

/// As measured on an H200, in seconds.
constexpr test::FakeCosts kCosts = {.energy = 2.55e-3,
                                    .ecc_kind = 0.8e-3,
                                    .memory = 0.009e-3,
                                    .temperature = 0.013e-3,
                                    .clock = 0.065e-3,
                                    .utilization = 0.84e-3,
                                    .power = 0.67e-3,
                                    .throttling = 0.33e-3};

/// GPUs whose questions cost what `kCosts` says, sampled once a second.
class GpuSamplerTest : public test::FakeDriver {
 protected:
  void open(unsigned gpus) {
    for (unsigned i = 0; i < gpus; ++i) add_gpu();
    fake_->costs = kCosts;
    sampler_.emplace(std::move(*Nvml::open(TRIREME_FAKE_NVML)),
                     GpuSampler::Clocks{[this] { return fake_->cpu_seconds; }, [this] { return now_; }});
  }
  std::vector<GpuSample> sample(bool counters = false) {
    const double before = fake_->cpu_seconds;
    auto gpus = sampler_->sample(counters);
    cost_ = fake_->cpu_seconds - before;
    now_ += 1;
    return gpus;
  }
  /// Of `samples` more: the mean cost, and the largest ages in samples.
  struct Seen {
    double mean = 0, most = 0;
    std::map<std::string, double> age;
  };
  Seen watch(int samples) {
    Seen seen;
    for (int i = 0; i < samples; ++i) {
      for (const GpuSample& gpu : sample()) {
        for (const auto& [question, age] : gpu.age_seconds) seen.age[question] = std::max(seen.age[question], age);
      }
      seen.mean += cost_ / samples;
      seen.most = std::max(seen.most, cost_);
    }
    return seen;
  }

  std::optional<GpuSampler> sampler_;
  double now_ = 0, cost_ = 0;
};

TEST_F(GpuSamplerTest, AsksEverythingInTheFirstSample) {
  open(8);
  for (const GpuSample& gpu : sample()) {
    EXPECT_TRUE(gpu.energy_joules && gpu.ecc_uncorrected && gpu.utilization_percent && gpu.power_watts);
    EXPECT_THAT(gpu.age_seconds, IsEmpty());
  }
}

TEST_F(GpuSamplerTest, AsksInTurnWithinItsBudget) {
  const std::map<unsigned, double> oldest = {{1, 2}, {2, 5}, {4, 8}, {8, 18}};  // samples
  for (const auto& [gpus, limit] : oldest) {
    *fake_ = {};
    open(gpus);
    sample();
    Seen seen = watch(3000);
    EXPECT_LE(seen.mean, GpuSampler::kBudget) << gpus;
    EXPECT_LE(seen.most, GpuSampler::kBudget + kCosts.energy) << gpus << ": one question may be dearer than a sample";
    for (const char* question : {"utilization", "power", "throttling", "clock"}) {
      EXPECT_LE(seen.age[question], limit) << question << " of " << gpus << " GPUs";
    }
    EXPECT_FALSE(seen.age.contains("memory") || seen.age.contains("temperature")) << "they cost next to nothing";
    EXPECT_LE(seen.age.at("ecc"), 60 + 2 * limit) << gpus;
    EXPECT_LE(seen.age.at("energy"), 300 + 2 * limit) << gpus;
  }
}

TEST_F(GpuSamplerTest, KeepsToItsBudgetInTheMeanHoweverDearTheDriver) {
  open(8);
  fake_->costs = {.energy = 0.02,
                  .ecc_kind = 0.01,
                  .memory = 0.02,
                  .temperature = 0.02,
                  .clock = 0.02,
                  .utilization = 0.02,
                  .power = 0.02,
                  .throttling = 0.02};
  sample();
  const Seen seen = watch(4000);
  EXPECT_LE(seen.mean, GpuSampler::kBudget * 1.02) << "the last question may not be paid for yet";
  EXPECT_LE(seen.age.at("memory"), 2000) << "and everything has its turn";
}

TEST_F(GpuSamplerTest, ADriverThatAnswersAtNoCostIsAskedEverythingEachTime) {
  open(8);
  fake_->costs = {};
  for (int i = 0; i < 3; ++i) {
    for (const GpuSample& gpu : sample()) EXPECT_THAT(gpu.age_seconds, IsEmpty());
  }
}

TEST_F(GpuSamplerTest, CarriesWhatItDidNotAskWithItsAge) {
  open(2);
  sample();
  sample();
  for (test::FakeGpu& gpu : fake_->gpu) gpu.millijoules = 9'000'000, gpu.temperature = 70;
  const auto gpus = sample();
  for (const GpuSample& gpu : gpus) {
    EXPECT_EQ(gpu.energy_joules, 5000.25);
    EXPECT_EQ(gpu.age_of("energy"), 2);
    EXPECT_EQ(gpu.temperature_c, 70);
    EXPECT_EQ(gpu.age_of("temperature"), 0);
  }
}

TEST_F(GpuSamplerTest, ReadsTheCountersWhenTheyAreWanted) {
  open(8);
  sample();
  watch(30);
  for (test::FakeGpu& gpu : fake_->gpu) gpu.millijoules = 9'000'000, gpu.uncorrected = 1;
  for (const GpuSample& gpu : sample(/*counters=*/true)) {
    EXPECT_EQ(gpu.energy_joules, 9000);
    EXPECT_EQ(gpu.ecc_uncorrected, 1u);
    EXPECT_EQ(gpu.age_of("energy"), 0);
  }
  EXPECT_GT(watch(1).mean, 1e-3) << "what they cost is not taken from the next samples";
}

TEST_F(GpuSamplerTest, ForgetsWhatALostGpuSaid) {
  open(2);
  sample();
  fake_->gpu[1].lost = true;
  watch(400);
  const auto gpus = sample();
  GpuSample only_names{.index = 1, .uuid = "GPU-1", .name = "Fake GPU"};
  EXPECT_EQ(gpus[1], only_names);
  EXPECT_TRUE(gpus[0].utilization_percent.has_value());
}

}  // namespace
}  // namespace trireme
