#pragma once
// From logits to the next token of each row: repetition penalty, then greedy, or temperature, top-k and top-p, in the
// order of transformers' generate. A row's random numbers come from its own seed, drawn on the host before the first
// step, so they depend on nothing else. Everything stays on the device. Ref: transformers logits_process.py.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace trireme::nn {

struct SamplingRules {
  double repetition_penalty = 1;  // 1: none
  double temperature = 0;         // at most kGreedyTemperature: greedy
  int top_k = 0;                  // 0: all
  double top_p = 1;
  std::uint64_t seed = 0;
};

/// Below this the most likely token's share is one for all but equal scores: released files that say 1e-6 mean greedy.
inline constexpr double kGreedyTemperature = 1e-5;

class TokenPicker {
 public:
  /// `steps`: most tokens of a row.
  TokenPicker(const std::vector<SamplingRules>& rules, std::int64_t vocab, std::int64_t steps, at::Device device);

  /// Host ids of a row's prompt: the repetition penalty counts them.
  void see(std::int64_t row, const std::vector<std::int64_t>& ids);
  /// logits [rows, vocab] float32 -> [rows] int64. `step` counts from 0. The tokens count as seen from then on.
  at::Tensor pick(const at::Tensor& logits, std::int64_t step);

  /// What `pick` draws from: [rows, vocab] float32, rows sum to 1. For tests.
  at::Tensor probabilities(const at::Tensor& logits) const;

 private:
  struct Ranked {
    at::Tensor shares, order;  // of each row, likeliest first: not normalised, 0 for what is cut off; token ids
  };
  at::Tensor penalised(const at::Tensor& logits) const;
  Ranked rank(const at::Tensor& scores) const;

  at::Tensor penalty_, temperature_, top_k_index_, top_p_;  // [rows, 1]; undefined: no row needs it
  at::Tensor sampled_;                                      // [rows] bool; undefined: all rows are greedy
  at::Tensor draws_;                                        // [steps, rows] float32 in [0, 1)
  at::Tensor seen_;                                         // [rows, vocab] bool
  at::Tensor vocabulary_;                                   // [vocab] int64: 0, 1, …
};

}  // namespace trireme::nn
