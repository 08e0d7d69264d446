#include "worker/graphs.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "worker/device.h"

namespace trireme {
namespace {

class GraphsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!at::hasCUDA()) GTEST_SKIP() << "no GPU: nothing is captured";
    device::configure(device_, {});
    guard_.emplace(device_, /*high_priority=*/false);
  }
  at::Tensor noise(std::int64_t rows) const { return at::randn({rows, 64}).to(device_); }

  at::Device device_{at::kCUDA, 0};
  std::optional<device::StreamGuard> guard_;
  int bodies_ = 0;
  const Graphs::Body body_ = [this](const std::vector<at::Tensor>& in) {
    ++bodies_;
    return at::softmax(at::matmul(in[0], in[1].t()), 1) + 1;
  };
};

}  // namespace

TEST(Graphs, AreOffOnACpuAndWhenTheyAreNotWanted) {
  Graphs cpu(at::kCPU, true);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(cpu.wants("key"));
  const at::Tensor x = at::ones({3});
  EXPECT_TRUE(at::equal(cpu.run("key", {x}, [](const auto& in) { return in[0] + 1; }), x + 1));
  EXPECT_EQ(cpu.bytes(), 0u);
}

TEST_F(GraphsTest, ReplaysWithTheBitsOfTheBodyOnNewInputs) {
  Graphs graphs(device_, true);
  EXPECT_FALSE(graphs.wants("16 rows"));
  EXPECT_TRUE(graphs.wants("16 rows"));
  std::vector<at::Tensor> made, expected;
  for (int i = 0; i < 5; ++i) {
    const std::vector<at::Tensor> inputs{noise(16), noise(32)};
    made.push_back(graphs.run("16 rows", inputs, body_));  // kept over later replays
    expected.push_back(body_(inputs));
  }
  for (std::size_t i = 0; i < made.size(); ++i) EXPECT_TRUE(at::equal(made[i], expected[i]));
  EXPECT_EQ(bodies_, 5 + 2) << "run once, then captured once";
  EXPECT_GT(graphs.bytes(), 0u);
}

TEST_F(GraphsTest, KeepsThoseUsedLast) {
  Graphs graphs(device_, true, /*most=*/2);
  const at::Tensor keys = noise(8);
  const auto run = [&](std::int64_t rows) {
    const at::Tensor queries = noise(rows);
    const at::Tensor made = graphs.run(std::to_string(rows), {queries, keys}, body_);
    const int counted = bodies_;
    EXPECT_TRUE(at::equal(made, body_({queries, keys}))) << rows;
    bodies_ = counted;
  };
  for (const std::int64_t rows : {1, 2, 1, 3, 1}) run(rows);
  EXPECT_EQ(bodies_, 2 * 3);
  run(2);  // had to go for 3
  EXPECT_EQ(bodies_, 2 * 4);
}

TEST_F(GraphsTest, WhatCanNotBeCapturedRunsAsItIs) {
  Graphs graphs(device_, true);
  const at::Tensor x = noise(4);
  const auto waits = [](const std::vector<at::Tensor>& in) { return in[0] * in[0].sum().item<float>(); };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(at::equal(graphs.run("waits", {x}, waits), waits({x})));
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(graphs.wants("other"));
  const at::Tensor after = noise(8);
  device::synchronize(device_);
  EXPECT_TRUE(at::equal(after + 1, after + 1));
}

}  // namespace trireme
