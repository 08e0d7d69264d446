#include "worker/weights/pairs.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "worker/kernels/gated_product.h"
#include "worker/weights/storage.h"
#include "worker/weights/weight_stream.h"

namespace trireme {
namespace {

const at::Device kCpu(at::kCPU);

/// w1 and w3 [dim, 16] in one slot, every value another.
struct Gate {
  at::Tensor weight;
  bool in_pairs = false;

  void want(Parameters& parameters, const std::string& prefix, std::int64_t dim) {
    parameters.want(prefix + "w1.weight", {dim, 16}, &weight, {0, 2 * dim});
    parameters.want(prefix + "w3.weight", {dim, 16}, &weight, {dim, 2 * dim});
    parameters.allow_pairs(&weight, &in_pairs);
  }
  static at::Tensor stacked(std::int64_t dim, int first) {
    return at::arange(first, first + 2 * dim * 16, at::kFloat).view({2 * dim, 16});
  }
};

TEST(PutInPairs, OrdersWhatAllowsItAndFits) {
  Gate fits, odd;
  at::Tensor other;
  PartParameters wanted;
  fits.want(wanted["transformer"], "layers.0.", 96);
  odd.want(wanted["transformer"], "layers.1.", 44);
  wanted["transformer"].want("other", {64, 8}, &other);
  allocate_parameters(wanted, at::kFloat, kCpu);
  fits.weight.copy_(Gate::stacked(96, 1)), odd.weight.copy_(Gate::stacked(44, 2)), other.fill_(3);
  const void* const where = fits.weight.data_ptr();
  put_in_pairs(wanted, kCpu);
  EXPECT_TRUE(fits.in_pairs);
  EXPECT_TRUE(at::equal(fits.weight, kernels::in_pairs(Gate::stacked(96, 1))));
  EXPECT_EQ(fits.weight.data_ptr(), where) << "in its own, aligned storage";
  EXPECT_FALSE(odd.in_pairs) << "88 rows";
  EXPECT_TRUE(at::equal(odd.weight, Gate::stacked(44, 2)));
  EXPECT_TRUE(at::equal(other, at::full({64, 8}, 3)));
}

TEST(PutInPairs, ReachesLayersOnTheHostBeforeTheirFirstVisit) {
  Gate layers[3];
  WeightStream stream(kCpu, /*active=*/true, 0);
  PartParameters wanted;
  Parameters& parameters = wanted["transformer"];
  for (int i = 0; i < 3; ++i) {
    const std::string prefix = "layers." + std::to_string(i) + ".";
    layers[i].want(parameters, prefix, 32);
    stream.add_layer(i, parameters, prefix);
  }
  allocate_parameters(wanted, at::kFloat, kCpu);
  for (int i = 0; i < 3; ++i) layers[i].weight.copy_(Gate::stacked(32, 10000 * i));
  put_in_pairs(wanted, kCpu);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 3; ++i) {
      stream.visit(i, [&] {
        EXPECT_TRUE(layers[i].in_pairs);
        EXPECT_TRUE(at::equal(layers[i].weight, kernels::in_pairs(Gate::stacked(32, 10000 * i))));
      });
    }
  }
}

}  // namespace
}  // namespace trireme
