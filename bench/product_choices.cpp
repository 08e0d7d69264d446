// The fastest of cuBLASLt's choices for products on a hot card, for the table of worker/kernels/product.cpp:
// product_choices 4352,11520,3840 … (rows, outputs, in), about 28 s each. A first pass ranks all choices by a few
// launches, a second the best of them by 0.1 s each; both mislead by some percent, as a kernel inherits the clock that
// the one before it has left. The last takes turns with cuBLAS, each time with its own warm-up: what it prints counts.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/gpu_timing.h"
#include "common/errors.h"
#include "worker/device.h"
#include "worker/kernels/product_choice.h"

namespace trireme::bench {
namespace {

using kernels::ProductChoice;

constexpr std::size_t kSecondPass = 40, kLastPass = 10;
constexpr double kAssumed = 650e12;  // operations/s, to turn seconds into launches

struct Product {
  std::vector<at::Tensor> weights;  // two layers' in turn: one would lie in the L2 cache
  at::Tensor x, out;
  int turn = 0;

  Product(at::Device device, std::int64_t rows, std::int64_t outputs, std::int64_t in) {
    const auto random = [&](at::IntArrayRef shape) {
      return at::randn(shape, at::TensorOptions(at::kBFloat16).device(device));
    };
    x = random({rows, in}), out = random({rows, outputs});
    for (int i = 0; i < 2; ++i) weights.push_back(random({outputs, in}) * 0.02);
  }
  const at::Tensor& weight() { return weights[static_cast<std::size_t>(turn++ % 2)]; }
  bool by(const ProductChoice& choice) { return kernels::multiply(choice, x, weight(), out); }
  void by_cublas() { at::linear(x, weight()); }
  double operations() const { return 2.0 * static_cast<double>(x.size(0) * x.size(1) * out.size(1)); }
};

/// Milliseconds of one of `launches` in a row.
double timed(at::Device device, int launches, const std::function<void()>& launch) {
  const auto row = [&] {
    for (int i = 0; i < launches; ++i) launch();
  };
  return launched_ms(device, row) / launches;
}

struct Candidate {
  ProductChoice choice;
  double ms = 0;
};

/// Each with its time of a few launches. A tile of which one choice takes twice cuBLAS's time is left out.
std::vector<Candidate> first_pass(at::Device device, Product& product) {
  constexpr int kLaunches = 3;
  const double enough = 2 * timed(device, kLaunches, [&] { product.by_cublas(); });
  std::vector<Candidate> all;
  for (int tile = CUBLASLT_MATMUL_TILE_8x8; tile < CUBLASLT_MATMUL_TILE_END; ++tile) {
    bool slow = false;
    for (const cublasLtClusterShape_t cluster : {CUBLASLT_CLUSTER_SHAPE_1x1x1, CUBLASLT_CLUSTER_SHAPE_2x1x1,
                                                 CUBLASLT_CLUSTER_SHAPE_1x2x1, CUBLASLT_CLUSTER_SHAPE_2x2x1}) {
      for (std::uint32_t order = 0; order < 8 && !slow; ++order) {
        const ProductChoice choice{static_cast<cublasLtMatmulTile_t>(tile), cluster, order};
        if (!product.by(choice)) continue;  // the first launch of a kernel loads it
        slow = timed(device, 1, [&] { product.by(choice); }) > enough;
        if (!slow) all.push_back({choice, timed(device, kLaunches, [&] { product.by(choice); })});
      }
    }
  }
  return all;
}

void keep_best(std::vector<Candidate>& candidates, std::size_t count) {
  std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) { return a.ms < b.ms; });
  candidates.resize(std::min(candidates.size(), count));
}

void print_best(at::Device device, std::int64_t rows, std::int64_t outputs, std::int64_t in) {
  Product product(device, rows, outputs, in);
  const auto launches = [&](double seconds) {
    return std::max(3, static_cast<int>(seconds * kAssumed / product.operations()));
  };
  timed(device, launches(2), [&] { product.by_cublas(); });
  std::vector<Candidate> candidates = first_pass(device, product);
  const std::size_t count = candidates.size();
  keep_best(candidates, kSecondPass);
  for (Candidate& c : candidates) c.ms = timed(device, launches(0.1), [&] { product.by(c.choice); });
  keep_best(candidates, kLastPass);

  const int calls = launches(0.02);
  std::vector<Contender> contenders{in_a_row(calls, [&](int) { product.by_cublas(); })};
  for (const Candidate& c : candidates) contenders.push_back(in_a_row(calls, [&](int) { product.by(c.choice); }));
  const std::vector<Timing> timings = time_in_turns(device, {/*warm_seconds=*/1, /*repeats=*/12 * calls}, contenders);
  std::printf("%lld, %lld, %lld: cuBLAS %.4f ms, %.0f MHz, %.0f W; %zu choices\n", static_cast<long long>(rows),
              static_cast<long long>(outputs), static_cast<long long>(in), timings[0].ms, timings[0].sm_mhz,
              timings[0].watts, count);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const ProductChoice& c = candidates[i].choice;
    std::printf("  tile %d, cluster %d, order %u (cublasLt.h's numbers): %.4f ms, cuBLAS / this %.3f\n", c.tile,
                c.cluster, c.order, timings[i + 1].ms, timings[0].ms / timings[i + 1].ms);
  }
  std::fflush(stdout);
}

void run(const std::vector<std::string>& shapes) {
  const c10::InferenceMode no_autograd;
  const at::Device device = device::choose(0);
  device::configure(device, {1, 0.9});
  if (!device.is_cuda()) throw Error(ExitCode::usage, "a GPU is needed: a CPU has no cuBLASLt");
  const device::StreamGuard stream(device, /*high_priority=*/false);
  std::printf("%s\n", device::name(device).c_str());
  for (const std::string& shape : shapes) {
    long long rows = 0, outputs = 0, in = 0;
    if (std::sscanf(shape.c_str(), "%lld,%lld,%lld", &rows, &outputs, &in) != 3) {
      throw Error(ExitCode::usage, shape + " is no product: ROWS,OUTPUTS,IN");
    }
    print_best(device, rows, outputs, in);
  }
}

}  // namespace
}  // namespace trireme::bench

int main(int argc, char** argv) {
  std::vector<std::string> shapes;
  CLI::App app("the fastest of cuBLASLt's choices for products");
  app.add_option("products", shapes, "ROWS,OUTPUTS,IN each")->required();
  CLI11_PARSE(app, argc, argv);
  try {
    trireme::bench::run(shapes);
  } catch (const trireme::Error& error) {
    std::fprintf(stderr, "product_choices: %s\n", error.what());
    return static_cast<int>(error.code());
  }
}
