#pragma once
// The flow-match Euler schedule. All arithmetic is in float32 in the reference's order: one ulp in the time of a step
// moves final latents by 1e-4. Ref: diffusers >= 0.39 scheduling_flow_match_euler_discrete.py and pipeline_z_image.py.

#include <ATen/core/Tensor.h>

#include <vector>

namespace trireme {

struct FlowMatchSchedule {
  std::vector<float> sigmas;  // steps + 1 noise levels, from 1 down to 0
  std::vector<float> times;   // of each step, as the model sees them: 0 = noise, towards 1 = image

  int steps() const { return static_cast<int>(times.size()); }
};

/// N steps are N forwards: sigmas linspace(1, 1/N, N), shifted by shift * s / (1 + (shift - 1) * s), then 0.
FlowMatchSchedule flow_match_schedule(int steps, double shift);

/// latents [..] float32 after step `step`; `velocity` (float32) points from noise to image.
at::Tensor euler_step(const FlowMatchSchedule& schedule, int step, const at::Tensor& latents,
                      const at::Tensor& velocity);

}  // namespace trireme
