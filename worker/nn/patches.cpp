#include "worker/nn/patches.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace trireme::nn {

at::Tensor to_patches(const at::Tensor& latents) {
  const std::int64_t channels = latents.size(0), height = latents.size(1) / kPatch, width = latents.size(2) / kPatch;
  return latents.view({channels, height, kPatch, width, kPatch}).permute({1, 3, 2, 4, 0}).reshape({height * width, -1});
}

at::Tensor from_patches(const at::Tensor& patches, std::int64_t height, std::int64_t width) {
  const std::int64_t channels = patches.size(1) / (kPatch * kPatch);
  return patches.view({height, width, kPatch, kPatch, channels})
      .permute({4, 0, 2, 1, 3})
      .reshape({channels, kPatch * height, kPatch * width});
}

at::Tensor time_features(const std::vector<float>& times, double scale) {
  constexpr std::int64_t kHalf = kTimeFrequencies / 2;
  const at::Tensor frequencies =
      (at::arange(0, kHalf, at::kFloat) * -std::log(10000.0) / static_cast<double>(kHalf)).exp();
  const at::Tensor t = at::empty({static_cast<std::int64_t>(times.size()), 1}, at::kFloat);
  std::copy(times.begin(), times.end(), t.data_ptr<float>());
  const at::Tensor angles = t * scale * frequencies.unsqueeze(0);
  return at::cat({angles.cos(), angles.sin()}, 1);
}

}  // namespace trireme::nn
