#include "worker/dispatch/work_estimate.h"

#include <gtest/gtest.h>

namespace trireme {
namespace {

constexpr DeviceRates kRates{1e14, 1e12};

ModelShape text_model() {
  ModelShape shape;
  shape.language = DecoderShape{
      .layers = 4, .hidden = 1024, .intermediate = 4096, .heads = 8, .kv_heads = 2, .head_dim = 128, .vocab = 32000};
  return shape;
}

Item request(int prompt_bytes, int new_tokens) {
  Item item;
  ChatMessage message;
  message.content.push_back({.kind = ContentPart::Kind::text, .text = std::string(prompt_bytes, 'x')});
  item.messages.push_back(message);
  item.max_new_tokens = new_tokens;
  return item;
}

TEST(WorkEstimate, OfAPictureIsAllOfItsCostAndNoTokens) {
  Item item;
  item.prompt = "cost=2";
  const UnitWork work = work_of(Unit{0, {item}, 1}, {}, {kFakeFlopsPerSecond, 1});
  EXPECT_DOUBLE_EQ(work.seconds, 2);
  EXPECT_EQ(work.token_seconds * work.most_tokens, 0);
}

TEST(WorkEstimate, OfAnAnswerCountsTheTokensApartFromThePrompt) {
  const UnitWork quick = work_of(Unit{0, {request(400, 10)}, 1}, text_model(), kRates);
  const UnitWork slow = work_of(Unit{0, {request(400, 500)}, 1}, text_model(), kRates);
  EXPECT_DOUBLE_EQ(quick.seconds, slow.seconds) << "what is read is the same";
  EXPECT_EQ(slow.most_tokens, 500);
  EXPECT_GT(slow.token_seconds, 0);
  EXPECT_GT(work_of(Unit{0, {request(40000, 10)}, 1}, text_model(), kRates).seconds, 5 * quick.seconds);
}

TEST(WorkEstimate, OfABatchReadsEveryPromptAndWaitsForTheLongestAnswer) {
  const UnitWork one = work_of(Unit{0, {request(400, 50)}, 1}, text_model(), kRates);
  const UnitWork both = work_of(Unit{0, {request(400, 50), request(400, 200)}, 1}, text_model(), kRates);
  EXPECT_DOUBLE_EQ(both.seconds, 2 * one.seconds);
  EXPECT_EQ(both.most_tokens, 200);
  EXPECT_LT(both.token_seconds, 1.5 * one.token_seconds) << "rows are written together";
}

}  // namespace
}  // namespace trireme
