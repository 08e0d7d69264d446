#pragma once
// Blocks of a transformer one behind the other. Where their weights stay on the device, what they scale and gate with
// is made for all of them at once, and each makes the norm that the next one begins with: bit for bit what the next
// would make.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "worker/nn/dit_block.h"
#include "worker/nn/layer_part.h"

namespace trireme::nn {

/// What the blocks of a pass are conditioned on.
struct DitCondition {
  at::Tensor vector;   // [1, condition_dim], as the modulations' linear layers take it
  at::Tensor factors;  // [blocks, 4, dim] of all runs of the stage; undefined: each block makes its own
};

/// Modulated blocks of one kind; those in `own` are this stage's.
struct DitRun {
  const std::vector<DitBlock>& blocks;
  Layers own;
  std::int64_t factors = 0;  // of a condition: where those of this run begin
};

/// vectors [passes, condition_dim] -> a condition for each pass. `factors`: with those of `runs`, one behind the other;
/// four passes cost about what one does.
std::vector<DitCondition> conditions(const at::Tensor& vectors, const std::vector<DitRun>& runs, bool factors);

inline constexpr int kPassesTogether = 4;
/// Of a unit's passes, made for so many of them when the first is asked for.
class PassConditions {
 public:
  using Make = std::function<std::vector<DitCondition>(int first, int count)>;
  /// Of `pass` out of `passes`; passes come in order.
  const DitCondition& of(int pass, int passes, const Make& make);

 private:
  std::vector<DitCondition> made_;
  int first_ = 0;
};

/// Block `i` of a run. Rows come with their norm where the next block is this stage's and its factors are there.
DitRows run_block(const DitRun& run, std::size_t i, const DitRows& rows, const RopeTable& rope,
                  const DitCondition& condition, const DitBlockConfig& config, LayerPart part = LayerPart::whole,
                  const Pictures& pictures = {});

}  // namespace trireme::nn
