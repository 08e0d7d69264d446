#pragma once
// What the sessions of all models whose transformer is made of nn/dit_block.h have in common.

#include <ATen/core/Tensor.h>

#include <utility>

#include "worker/diffusion/guidance.h"
#include "worker/models/model.h"
#include "worker/nn/dit_run.h"

namespace trireme {

class DitSession : public Session {
 public:
  using Session::Session;

  /// Between two blocks of a pass.
  nn::DitRows rows() const { return {hidden, norm_}; }
  void keep(nn::DitRows rows) {
    hidden = std::move(rows.hidden);
    norm_ = std::move(rows.norm);
  }

  Guidance guidance;
  at::Tensor time_features;  // [passes, 256] float32

 private:
  at::Tensor norm_;  // of `hidden`, where the block before has made it: undefined between two stages
};

}  // namespace trireme
