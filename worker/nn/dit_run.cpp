#include "worker/nn/dit_run.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace trireme::nn {

std::vector<DitCondition> conditions(const at::Tensor& vectors, const std::vector<DitRun>& runs, bool factors) {
  at::Tensor of_passes;  // [passes, blocks, 4, dim]
  if (factors) {
    std::vector<at::Tensor> of_blocks;
    for (const DitRun& run : runs) {
      for (int i = run.own.first; i < run.own.last; ++i) {
        of_blocks.push_back(run.blocks[static_cast<std::size_t>(i)].factors(vectors));
      }
    }
    if (!of_blocks.empty()) of_passes = at::stack(of_blocks, 1);
  }
  std::vector<DitCondition> result;
  for (std::int64_t pass = 0; pass < vectors.size(0); ++pass) {
    result.push_back({vectors.narrow(0, pass, 1), of_passes.defined() ? of_passes[pass] : at::Tensor()});
  }
  return result;
}

const DitCondition& PassConditions::of(int pass, int passes, const Make& make) {
  if (pass >= first_ + static_cast<int>(made_.size())) {
    made_ = make(pass, std::min(kPassesTogether, passes - pass));
    first_ = pass;
  }
  return made_[static_cast<std::size_t>(pass - first_)];
}

DitRows run_block(const DitRun& run, std::size_t i, const DitRows& rows, const RopeTable& rope,
                  const DitCondition& condition, const DitBlockConfig& config, LayerPart part,
                  const Pictures& pictures) {
  const DitBlock& block = run.blocks[i];
  if (!condition.factors.defined()) {
    return block(rows, rope, block.factors(condition.vector)[0], config, part, pictures);
  }
  const auto factors = [&](std::size_t of) {
    return condition.factors[run.factors + static_cast<std::int64_t>(of) - run.own.first];
  };
  kernels::ScaledNorm next;
  if (static_cast<int>(i) + 1 < run.own.last) next = run.blocks[i + 1].first_norm(factors(i + 1));
  return block(rows, rope, factors(i), config, part, pictures, next);
}

}  // namespace trireme::nn
