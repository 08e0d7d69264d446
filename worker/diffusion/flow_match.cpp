#include "worker/diffusion/flow_match.h"

#include <ATen/ATen.h>

namespace trireme {

FlowMatchSchedule flow_match_schedule(int steps, double shift) {
  const at::Tensor line = at::linspace(1.0, 1.0 / steps, steps, at::kFloat);
  const float factor = static_cast<float>(shift), excess = static_cast<float>(shift - 1);
  FlowMatchSchedule schedule;
  for (int step = 0; step < steps; ++step) {
    const float s = line.data_ptr<float>()[step];
    const float sigma = factor * s / (1.0f + excess * s);
    const float timestep = sigma * 1000.0f;
    schedule.sigmas.push_back(sigma);
    schedule.times.push_back((1000.0f - timestep) / 1000.0f);
  }
  schedule.sigmas.push_back(0.0f);
  return schedule;
}

at::Tensor euler_step(const FlowMatchSchedule& schedule, int step, const at::Tensor& latents,
                      const at::Tensor& velocity) {
  const auto index = static_cast<std::size_t>(step);
  const float dt = schedule.sigmas[index + 1] - schedule.sigmas[index];
  return latents + velocity * -static_cast<double>(dt);  // two roundings, as the reference: no add with alpha
}

}  // namespace trireme
