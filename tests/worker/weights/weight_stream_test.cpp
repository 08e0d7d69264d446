#include "worker/weights/weight_stream.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

#include "common/errors.h"
#include "worker/device.h"
#include "worker/weights/storage.h"

namespace trireme {
namespace {

constexpr int kLayers = 5;
constexpr std::int64_t kRows = 3, kColumns = 7;

/// Layers of a matrix, a vector and a matrix that two tensors of a file share, each layer with values of its own.
class WeightStreamTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    device_ = at::Device(GetParam());
    if (device_.is_cuda() && device::visible_gpus() == 0) GTEST_SKIP() << "no GPU";
    if (device_.is_cuda()) device_ = device::choose(0);
  }

  struct Layer {
    at::Tensor matrix, vector, joined;
  };

  void load(int layers, bool active = true) {
    layers_.resize(static_cast<std::size_t>(layers));
    stream_ = std::make_unique<WeightStream>(device_, active, 100);
    Parameters& parameters = wanted_["part"];
    for (int i = 0; i < layers; ++i) {
      const std::string name = "layers." + std::to_string(i) + ".";
      Layer& layer = layers_[static_cast<std::size_t>(i)];
      parameters.want(name + "matrix", {kRows + i % 2, kColumns}, &layer.matrix);
      parameters.want(name + "vector", {kColumns}, &layer.vector);
      parameters.want(name + "a", {1, 2}, &layer.joined, {0, 4});
      parameters.want(name + "b", {2, 2}, &layer.joined, {1, 4});
      stream_->add_layer(i, parameters, name);
    }
    parameters.want("head", {2}, &head_);
    allocate_parameters(wanted_, at::kFloat, device_);
    for (int i = 0; i < layers; ++i) {
      Layer& layer = layers_[static_cast<std::size_t>(i)];
      layer.matrix.fill_(i + 1);
      layer.vector.fill_(10 * (i + 1));
      layer.joined.narrow(0, 0, 3).fill_(100 * (i + 1));
    }
  }

  void visit(int i) {
    const Layer& layer = layers_[static_cast<std::size_t>(i)];
    stream_->visit(i, [&] {
      EXPECT_EQ(layer.matrix.sizes(), (at::IntArrayRef{kRows + i % 2, kColumns}));
      EXPECT_TRUE(at::equal(layer.matrix, at::full({kRows + i % 2, kColumns}, i + 1, options())));
      EXPECT_TRUE(at::equal(layer.vector, at::full({kColumns}, 10 * (i + 1), options())));
      EXPECT_EQ(layer.joined.sum().item<float>(), 6 * 100 * (i + 1)) << "what no tensor fills is zero";
      for (const at::Tensor* tensor : {&layer.matrix, &layer.vector, &layer.joined}) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor->data_ptr()) % 256, 0u);
      }
    });
  }

  at::TensorOptions options() const { return at::TensorOptions(at::kFloat).device(device_); }

  at::Device device_{at::kCPU};
  std::vector<Layer> layers_;
  at::Tensor head_;
  PartParameters wanted_;
  std::unique_ptr<WeightStream> stream_;
};

INSTANTIATE_TEST_SUITE_P(Device, WeightStreamTest, testing::Values("cpu", "cuda"));

TEST_P(WeightStreamTest, BringsEachLayerOnceARoundThroughTwoBuffers) {
  load(kLayers);
  std::set<const void*> places;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kLayers; ++i) {
      visit(i);
      stream_->visit(i, [&] { places.insert(layers_[static_cast<std::size_t>(i)].matrix.data_ptr()); });
    }
  }
  EXPECT_EQ(places.size(), 2u);
  EXPECT_EQ(stream_->copies(), 3u * kLayers + 1) << "and the first of the next round, which is on its way";
}

TEST_P(WeightStreamTest, UnitsThatTakeALayerInTurnShareItsCopy) {
  load(kLayers);
  for (int i = 0; i < kLayers; ++i) {
    for (int unit = 0; unit < 4; ++unit) visit(i);
  }
  EXPECT_EQ(stream_->copies(), kLayers + 1u);
}

// Nothing waits here but the streams for each other: a copy that came too early would spoil a sum.
TEST_P(WeightStreamTest, NoLayerIsOverwrittenWhileItIsInUse) {
  constexpr std::int64_t kSide = 512;
  const device::StreamGuard compute(device_, /*high_priority=*/true);
  std::vector<at::Tensor> matrices(3);
  stream_ = std::make_unique<WeightStream>(device_, true, 0);
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    const std::string name = "layers." + std::to_string(i) + ".";
    wanted_["part"].want(name + "matrix", {kSide, kSide}, &matrices[i]);
    stream_->add_layer(static_cast<int>(i), wanted_["part"], name);
  }
  allocate_parameters(wanted_, at::kFloat, device_);
  for (std::size_t i = 0; i < matrices.size(); ++i) matrices[i].fill_(static_cast<double>(i + 1) / kSide);
  const at::Tensor ones = at::ones({kSide, kSide}, options()), sums = at::zeros({kSide, kSide}, options());
  const int rounds = device_.is_cuda() ? 200 : 3;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < matrices.size(); ++i) {
      stream_->visit(static_cast<int>(i), [&] { sums.add_(at::mm(ones, matrices[i])); });
    }
  }
  EXPECT_TRUE(at::allclose(sums, at::full({kSide, kSide}, 6 * rounds, options()), 1e-4));
}

TEST_P(WeightStreamTest, AnyOrderIsRightIfSlower) {
  load(kLayers);
  for (const int i : {3, 3, 0, 4, 2, 1, 0, 0, 3, 1, 4, 0}) visit(i);
}

TEST_P(WeightStreamTest, AChainMayHaveOneLayerOrTwo) {
  load(1);
  for (int round = 0; round < 3; ++round) visit(0);
  EXPECT_EQ(stream_->copies(), 1u);
  layers_.clear();
  wanted_.clear();
  load(2);
  for (int round = 0; round < 3; ++round) visit(0), visit(1);
  EXPECT_EQ(stream_->copies(), 2u) << "both stay";
}

TEST_P(WeightStreamTest, ALayerIsThereDuringItsVisitAlone) {
  load(kLayers);
  visit(0);
  for (const Layer& layer : layers_) EXPECT_FALSE(layer.matrix.defined());
  EXPECT_TRUE(head_.defined()) << "what is no layer stays";
  EXPECT_THROW(stream_->visit(1, [] { throw ItemError("out of luck"); }), ItemError);
  EXPECT_FALSE(layers_[1].matrix.defined());
  visit(1);
}

TEST_P(WeightStreamTest, CountsWhatIsOnTheDeviceAndWhatOnTheHost) {
  load(kLayers);
  const auto aligned = [](std::uint64_t bytes) { return (bytes + 255) / 256 * 256; };
  const std::uint64_t small = aligned(4 * kRows * kColumns) + aligned(4 * kColumns) + aligned(4 * 4 * 2),
                      large = aligned(4 * (kRows + 1) * kColumns) + aligned(4 * kColumns) + aligned(4 * 4 * 2);
  const ParameterBytes bytes = count_bytes(wanted_, at::kFloat);
  EXPECT_EQ(bytes.host, 3 * small + 2 * large);
  EXPECT_EQ(bytes.device, 2 * large + 4 * 2) << "two buffers for the largest layer, and the head";
}

TEST_P(WeightStreamTest, DoesNothingUnlessActive) {
  load(kLayers, /*active=*/false);
  visit(2);
  EXPECT_TRUE(layers_[2].matrix.defined());
  EXPECT_EQ(stream_->copies(), 0u);
  EXPECT_EQ(count_bytes(wanted_, at::kFloat).host, 0u);
}

TEST_P(WeightStreamTest, AMisspeltLayerIsAnErrorOfTheProgram) {
  load(kLayers);
  EXPECT_THROW(stream_->visit(kLayers, [] {}), Error);
  EXPECT_THROW(stream_->add_layer(kLayers, wanted_["part"], "layer.7."), Error);
  EXPECT_EQ(stream_->place(3), 103);
}

}  // namespace
}  // namespace trireme
