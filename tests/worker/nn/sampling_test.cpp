#include "worker/nn/sampling.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "tests/worker/golden.h"

namespace trireme::nn {
namespace {

at::Tensor logits_of(std::uint64_t seed, std::int64_t rows, std::int64_t vocab) {
  return 3 * at::randn({rows, vocab}, at::make_generator<at::CPUGeneratorImpl>(seed), at::kFloat);
}

TEST(TokenPicker, HasTheProbabilitiesOfTransformers) {
  const auto golden = test::read_tensors(test::golden_folder() / "sampling.safetensors");
  for (const nlohmann::json& wanted : test::read_json(test::golden_folder() / "sampling.json")) {
    const std::int64_t vocab = wanted.at("rows");
    at::Tensor logits = logits_of(wanted.at("seed"), 1, vocab);
    if (wanted.at("rounded")) logits = logits.round();
    TokenPicker picker(
        {{wanted.at("repetition_penalty"), wanted.at("temperature"), wanted.at("top_k"), wanted.at("top_p"), 1}}, vocab,
        1, at::kCPU);
    picker.see(0, wanted.at("ids").get<std::vector<std::int64_t>>());
    const at::Tensor got = picker.probabilities(logits).squeeze(0);
    const std::string name = wanted.at("name");
    EXPECT_LE(test::absolute_error(got, golden.at(name)), 2e-6) << name;
    EXPECT_TRUE(at::equal(got > 0, golden.at(name) > 0)) << name;
  }
}

TEST(TokenPicker, DrawsAsOftenAsTheProbabilitiesSay) {
  constexpr std::int64_t kDraws = 20000;
  const at::Tensor logits = logits_of(3, 1, 12);
  TokenPicker picker({{1, 1.3, 8, 0.95, 11}}, 12, kDraws, at::kCPU);
  const at::Tensor expected = picker.probabilities(logits).squeeze(0);
  std::vector<double> counts(12, 0.0);
  for (std::int64_t i = 0; i < kDraws; ++i)
    counts[static_cast<std::size_t>(picker.pick(logits, i).item<std::int64_t>())] += 1;
  for (std::int64_t token = 0; token < 12; ++token) {
    const double p = expected[token].item<double>(), share = counts[static_cast<std::size_t>(token)] / kDraws;
    EXPECT_NEAR(share, p, 5 * std::sqrt(p * (1 - p) / kDraws)) << token;  // five sigma; 0 where p is 0
  }
}

TEST(TokenPicker, DrawsBySeedAndNotByCompany) {
  const std::vector<SamplingRules> rules = {
      {1.2, 0.9, 50, 0.9, 5}, {1, 0, 0, 1, 6}, {1, 1.5, 0, 1, 7}, {1, 1.5, 0, 1, 7}};
  constexpr std::int64_t kVocab = 700, kSteps = 20;
  TokenPicker together(rules, kVocab, kSteps, at::kCPU);
  std::vector<TokenPicker> alone;
  for (const SamplingRules& row : rules) alone.emplace_back(std::vector{row}, kVocab, kSteps, at::kCPU);
  bool differ = false;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    at::Tensor logits = logits_of(100 + static_cast<std::uint64_t>(step), 4, kVocab);
    logits.select(0, 3).copy_(logits.select(0, 2));
    const at::Tensor tokens = together.pick(logits, step);
    for (std::int64_t row = 0; row < 4; ++row) {
      const at::Tensor own = alone[static_cast<std::size_t>(row)].pick(logits.narrow(0, row, 1), step);
      EXPECT_EQ(own.item<std::int64_t>(), tokens[row].item<std::int64_t>()) << row;
    }
    EXPECT_EQ(tokens[1].item<std::int64_t>(), logits[1].argmax().item<std::int64_t>());
    EXPECT_EQ(tokens[2].item<std::int64_t>(), tokens[3].item<std::int64_t>());
    differ = differ || tokens[2].item<std::int64_t>() != logits[2].argmax().item<std::int64_t>();
  }
  EXPECT_TRUE(differ);
}

TEST(TokenPicker, PenalisesWhatItHasPicked) {
  const at::Tensor logits = at::tensor({2.0f, 1.9f, -1.0f, 0.0f}).unsqueeze(0);
  TokenPicker picker({{1.5, 1e-6, 50, 1, 0}}, 4, 4, at::kCPU);
  picker.see(0, {3});
  EXPECT_EQ(picker.pick(logits, 0).item<std::int64_t>(), 0);
  EXPECT_EQ(picker.pick(logits, 1).item<std::int64_t>(), 1);
  EXPECT_EQ(picker.pick(logits, 2).item<std::int64_t>(), 0);
}

TEST(TokenPicker, NeverPicksWhatIsCutOff) {
  const at::Tensor logits = logits_of(9, 1, 600);
  for (const SamplingRules& rules : {SamplingRules{1, 5, 1, 1, 1}, SamplingRules{1, 5, 0, 0.0, 2}}) {
    TokenPicker picker({rules}, 600, 200, at::kCPU);
    const std::int64_t best = logits.argmax().item<std::int64_t>();
    for (std::int64_t step = 0; step < 200; ++step) EXPECT_EQ(picker.pick(logits, step).item<std::int64_t>(), best);
  }
}

}  // namespace
}  // namespace trireme::nn
