#include "worker/nn/sampling.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <limits>

#include "worker/nn/upload.h"

namespace trireme::nn {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();

bool is_greedy(const SamplingRules& rules) { return rules.temperature <= kGreedyTemperature; }

/// One value a row, [rows, 1] on the device.
template <class Value>
at::Tensor column(const std::vector<SamplingRules>& rules, at::ScalarType type, at::Device device, Value value) {
  const at::Tensor host = at::empty({static_cast<std::int64_t>(rules.size()), 1}, at::kDouble);
  for (std::size_t i = 0; i < rules.size(); ++i) host.data_ptr<double>()[i] = static_cast<double>(value(rules[i]));
  return upload(host.to(type), device);
}

/// [rows, n] -> sums of the elements up to each, itself included. As products with triangles of ones, since ATen's
/// running sum has no deterministic kernel on a GPU.
at::Tensor running_sum(const at::Tensor& x) {
  constexpr std::int64_t kBlock = 256;
  const std::int64_t rows = x.size(0), blocks = (x.size(1) + kBlock - 1) / kBlock;
  const at::Tensor padded = at::constant_pad_nd(x, {0, blocks * kBlock - x.size(1)}).view({rows, blocks, kBlock});
  const at::Tensor inside = padded.matmul(at::ones({kBlock, kBlock}, x.options()).triu());
  const at::Tensor before = padded.sum(2).matmul(at::ones({blocks, blocks}, x.options()).triu(1));
  return (inside + before.unsqueeze(2)).view({rows, -1}).narrow(1, 0, x.size(1));
}

}  // namespace

TokenPicker::TokenPicker(const std::vector<SamplingRules>& rules, std::int64_t vocab, std::int64_t steps,
                         at::Device device) {
  const auto any = [&](auto needs) { return std::any_of(rules.begin(), rules.end(), needs); };
  if (any([](const SamplingRules& r) { return r.repetition_penalty != 1; })) {
    penalty_ = column(rules, at::kFloat, device, [](const SamplingRules& r) { return r.repetition_penalty; });
    seen_ = at::zeros({static_cast<std::int64_t>(rules.size()), vocab}, at::TensorOptions(at::kBool).device(device));
    vocabulary_ = at::arange(vocab, at::TensorOptions(at::kLong).device(device));
  }
  if (!any([](const SamplingRules& r) { return !is_greedy(r); })) return;
  sampled_ = column(rules, at::kBool, device, [](const SamplingRules& r) { return !is_greedy(r); }).squeeze(1);
  temperature_ =
      column(rules, at::kFloat, device, [](const SamplingRules& r) { return is_greedy(r) ? 1 : r.temperature; });
  top_k_index_ = column(rules, at::kLong, device, [&](const SamplingRules& r) {
    return r.top_k == 0 ? vocab - 1 : std::min<std::int64_t>(r.top_k, vocab) - 1;
  });
  top_p_ = column(rules, at::kFloat, device, [](const SamplingRules& r) { return r.top_p; });
  std::vector<at::Tensor> draws;
  for (const SamplingRules& row : rules) {
    draws.push_back(at::rand({steps}, at::detail::createCPUGenerator(row.seed), at::kFloat));
  }
  draws_ = upload(at::stack(draws, 1), device);
}

void TokenPicker::see(std::int64_t row, const std::vector<std::int64_t>& ids) {
  if (!seen_.defined()) return;
  const at::Tensor host = at::zeros({seen_.size(1)}, at::kBool);
  for (const std::int64_t id : ids) host.data_ptr<bool>()[id] = true;
  seen_.select(0, row).logical_or_(upload(host, seen_.device()));
}

at::Tensor TokenPicker::penalised(const at::Tensor& logits) const {
  if (!penalty_.defined()) return logits;
  return at::where(seen_, at::where(logits < 0, logits * penalty_, logits / penalty_), logits);
}

TokenPicker::Ranked TokenPicker::rank(const at::Tensor& scores) const {
  auto [ranked, order] = at::sort(scores / temperature_, /*stable=*/true, /*dim=*/1, /*descending=*/true);
  ranked = ranked.masked_fill(ranked < ranked.gather(1, top_k_index_), kNothing);  // equals of the last one stay
  const at::Tensor shares = ranked.softmax(1);
  // Kept: those before which less than top_p has gathered, and the first. top_p of 1 keeps all, whatever sums round to.
  const at::Tensor before = running_sum(shares) - shares;
  at::Tensor kept = (before < top_p_).logical_or_(top_p_ >= 1);
  kept.select(1, 0).fill_(true);
  return {shares * kept, order};
}

at::Tensor TokenPicker::pick(const at::Tensor& logits, std::int64_t step) {
  const at::Tensor scores = penalised(logits);
  at::Tensor tokens = scores.argmax(1);
  if (sampled_.defined()) {
    const Ranked ranked = rank(scores);
    const at::Tensor sums = running_sum(ranked.shares);
    const at::Tensor goal = draws_.select(0, step).unsqueeze(1) * sums.narrow(1, sums.size(1) - 1, 1);
    // The first whose sum is above the goal; rounding may leave none, then the last that is kept.
    const at::Tensor last = ranked.shares.gt(0).sum(1, /*keepdim=*/true) - 1;
    const at::Tensor place = at::minimum((sums <= goal).sum(1, /*keepdim=*/true), last);
    tokens = at::where(sampled_, ranked.order.gather(1, place).squeeze(1), tokens);
  }
  if (seen_.defined()) seen_.logical_or_(vocabulary_ == tokens.unsqueeze(1));
  return tokens;
}

at::Tensor TokenPicker::probabilities(const at::Tensor& logits) const {
  const Ranked ranked = rank(penalised(logits));
  return at::zeros_like(logits).scatter_(1, ranked.order, ranked.shares / ranked.shares.sum(1, true));
}

}  // namespace trireme::nn
