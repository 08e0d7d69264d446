#include "worker/diffusion/flow_match.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/worker/golden.h"

namespace trireme {
namespace {

TEST(FlowMatchSchedule, HasTheSigmasAndTimesOfDiffusersToTheLastBit) {
  for (const char* model : {"z_image_tiny", "z_image_base"}) {
    const auto golden = test::read_tensors(test::golden_folder() / (std::string(model) + ".safetensors"));
    const nlohmann::json cases = test::read_json(test::golden_folder() / (std::string(model) + ".json"));
    int seen = 0;
    for (const nlohmann::json& item : cases.at("images")) {
      if (!item.at("tensors").get<bool>()) continue;
      const FlowMatchSchedule schedule = flow_match_schedule(item.at("steps"), item.at("shift"));
      const at::Tensor& sigmas = golden.at(item.at("name").get<std::string>() + "/sigmas");
      const at::Tensor& times = golden.at(item.at("name").get<std::string>() + "/times");
      for (int i = 0; i < schedule.steps(); ++i) {
        EXPECT_EQ(schedule.times[static_cast<std::size_t>(i)], times.data_ptr<float>()[i])
            << item.at("name") << " " << i;
      }
      ASSERT_EQ(static_cast<std::size_t>(sigmas.numel()), schedule.sigmas.size());
      for (std::size_t i = 0; i < schedule.sigmas.size(); ++i) {
        EXPECT_EQ(schedule.sigmas[i], sigmas.data_ptr<float>()[i]) << item.at("name") << " step " << i;
      }
      ++seen;
    }
    EXPECT_GT(seen, 0);
  }
}

TEST(FlowMatchSchedule, NStepsAreNForwardsFromPureNoise) {
  const FlowMatchSchedule schedule = flow_match_schedule(8, 3);
  const std::vector<double> expected = {1, 0.954545, 0.9, 0.833333, 0.75, 0.642857, 0.5, 0.3, 0};
  ASSERT_EQ(schedule.steps(), 8);
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(schedule.sigmas[i], expected[i], 1e-6);
  EXPECT_EQ(schedule.times.front(), 0.0f);
  EXPECT_NEAR(schedule.times.back(), 0.7, 1e-6);
}

TEST(FlowMatchSchedule, OneStepGoesAllTheWay) {
  const FlowMatchSchedule schedule = flow_match_schedule(1, 6);
  const at::Tensor latents = at::full({2}, 3.0f), velocity = at::full({2}, -2.0f);
  EXPECT_TRUE(at::equal(euler_step(schedule, 0, latents, velocity), at::full({2}, 1.0f)));
}

}  // namespace
}  // namespace trireme
