#pragma once
// How predictions become the next state. Euler: a pass a step. Midpoint: two passes a step, of which the first goes
// half the way only to look there. All in float32.

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "worker/diffusion/flow_match.h"

namespace trireme {

class Sampler {
 public:
  /// `name`: Item::sampler. Throws ItemError for one that is not known.
  Sampler(FlowMatchSchedule schedule, const std::string& name);

  int passes() const { return static_cast<int>(times_.size()); }
  /// Of every pass, as the model sees it.
  const std::vector<float>& times() const { return times_; }
  /// The state after a pass; passes in order. `velocity` (float32) points from noise to image.
  at::Tensor advance(int pass, const at::Tensor& state, const at::Tensor& velocity);

 private:
  FlowMatchSchedule schedule_;
  bool midpoint_;
  std::vector<float> times_;
  at::Tensor start_;  // midpoint: of the step under way
};

}  // namespace trireme
