// A transformer's products by cuBLAS and by CUTLASS's kernels of other tiles, on a hot card: one row a shape, one
// column a kernel, milliseconds. Weights of two layers in turns, as a forward reads them. A `*` behind a figure: not
// the bits of cuBLAS.
#include <ATen/ATen.h>
#include <ATen/cuda/CUDAContext.h>
#include <cuda_runtime_api.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/gpu_timing.h"
#include "bench/product_tile.h"
#include "worker/device.h"

namespace trireme::bench {

std::vector<ProductTile>& product_tiles() {
  static std::vector<ProductTile> all;
  return all;
}

namespace {

constexpr int kCalls = 40, kLayers = 2;
constexpr std::int64_t kWorkspace = std::int64_t{256} << 20;

struct Shape {
  const char* name;
  std::int64_t rows, out, in;
};
// Of Z-Image at 1024², 512² and four of 512², of NewBie-image at 1024².
constexpr Shape kShapes[] = {{"Z-Image 1024 qkv", 4224, 11520, 3840},   {"Z-Image 1024 out", 4224, 3840, 3840},
                             {"Z-Image 1024 w2", 4224, 3840, 10240},    {"Z-Image 512 qkv", 1152, 11520, 3840},
                             {"Z-Image 512 out", 1152, 3840, 3840},     {"Z-Image 512 w2", 1152, 3840, 10240},
                             {"Z-Image 4 x 512 out", 4608, 3840, 3840}, {"Z-Image 4 x 512 w2", 4608, 3840, 10240},
                             {"NewBie 1024 qkv", 4352, 3840, 2304},     {"NewBie 1024 out", 4352, 2304, 2304},
                             {"NewBie 1024 w2", 4352, 2304, 9216}};

void row(const Shape& shape, at::Device device, double warm_seconds) {
  const auto options = at::TensorOptions(device).dtype(at::kBFloat16);
  const at::Tensor x = at::randn({shape.rows, shape.in}, options), y = at::empty({shape.rows, shape.out}, options);
  const at::Tensor workspace = at::empty({kWorkspace}, options.dtype(at::kByte));
  std::vector<at::Tensor> weights;
  for (int i = 0; i < kLayers; ++i) weights.push_back(at::randn({shape.out, shape.in}, options) * 0.02);
  const auto time = [&](const auto& once) {
    return time_hot(device, {.warm_seconds = warm_seconds, .repeats = 9},
                    [&] {
                      for (int i = 0; i < kCalls; ++i) once(weights[static_cast<std::size_t>(i % kLayers)]);
                    })
               .ms /
           kCalls;
  };
  at::Tensor expected;
  std::printf("| %s | %.4f |", shape.name, time([&](const at::Tensor& weight) { expected = at::linear(x, weight); }));
  expected = at::linear(x, weights[0]);
  for (const ProductTile& tile : product_tiles()) {
    const auto launch = [&](const at::Tensor& weight) {
      const Product product{x.data_ptr(),
                            weight.data_ptr(),
                            y.data_ptr(),
                            static_cast<int>(shape.rows),
                            static_cast<int>(shape.out),
                            static_cast<int>(shape.in),
                            workspace.data_ptr(),
                            kWorkspace};
      return tile.launch(product, c10::cuda::getCurrentCUDAStream().stream());
    };
    if (launch(weights[0]) != cudaSuccess) {
      std::printf(" |");
      continue;
    }
    const bool same = at::equal(y, expected);
    std::printf(" %.4f%s |", time(launch), same ? "" : "*");
    std::fflush(stdout);
  }
  std::printf("\n");
}

void run(double warm_seconds) {
  const c10::InferenceMode no_autograd;
  const at::Device device = device::choose(0);
  device::configure(device, {1, 0.9});
  const device::StreamGuard stream(device, /*high_priority=*/false);
  std::printf("%s\n\n| product | cuBLAS |", device::name(device).c_str());
  for (const ProductTile& tile : product_tiles()) std::printf(" %s |", tile.name);
  std::printf("\n|---|---:|");
  for (std::size_t i = 0; i < product_tiles().size(); ++i) std::printf("---:|");
  std::printf("\n");
  for (const Shape& shape : kShapes) row(shape, device, warm_seconds);
}

}  // namespace
}  // namespace trireme::bench

int main(int argc, char** argv) {
  double warm_seconds = 0.3;
  CLI::App app{"product_tiles: a transformer's products by cuBLAS and by kernels of other tiles"};
  app.add_option("--warm", warm_seconds, "seconds before each measurement");
  CLI11_PARSE(app, argc, argv);
  if (c10::cuda::device_count() == 0 || at::cuda::getDeviceProperties(0)->major != 9) {
    std::fprintf(stderr,
                 "product_tiles: the first GPU must be of capability 9.0; run it on a machine with a Hopper GPU\n");
    return 69;
  }
  trireme::bench::run(warm_seconds);
}
