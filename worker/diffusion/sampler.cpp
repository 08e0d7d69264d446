#include "worker/diffusion/sampler.h"

#include <ATen/ATen.h>

#include <utility>

#include "common/errors.h"

namespace trireme {

Sampler::Sampler(FlowMatchSchedule schedule, const std::string& name)
    : schedule_(std::move(schedule)), midpoint_(name == "midpoint") {
  if (!midpoint_ && name != "euler") throw ItemError("sampler: '" + name + "' is not one of euler, midpoint");
  for (std::size_t step = 0; step < schedule_.times.size(); ++step) {
    times_.push_back(schedule_.times[step]);
    if (midpoint_) times_.push_back(times_.back() + 0.5f * (schedule_.sigmas[step] - schedule_.sigmas[step + 1]));
  }
}

at::Tensor Sampler::advance(int pass, const at::Tensor& state, const at::Tensor& velocity) {
  if (!midpoint_) return euler_step(schedule_, pass, state, velocity);
  const int step = pass / 2;
  if (pass % 2 == 1) return euler_step(schedule_, step, std::exchange(start_, {}), velocity);
  start_ = state;
  const auto index = static_cast<std::size_t>(step);
  const float half = 0.5f * (schedule_.sigmas[index] - schedule_.sigmas[index + 1]);
  return state + velocity * static_cast<double>(half);
}

}  // namespace trireme
