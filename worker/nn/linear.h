#pragma once
// Linear and convolution layers: a weight, perhaps a bias, and the ATen call. A module registers its slots with `want`
// and must then keep its address until the weights are loaded.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "worker/weights/parameters.h"

namespace trireme::nn {

enum class Bias { none, present };

struct Linear {
  at::Tensor weight, bias;  // [out, in] (a file may hold it as a 1x1 convolution, [out, in, 1, 1]); [out] or undefined

  /// `name` without ".weight" or ".bias".
  void want(Parameters& parameters, const std::string& name, std::int64_t out, std::int64_t in, Bias bias);
  /// x [.., in] -> [.., out]
  at::Tensor operator()(const at::Tensor& x) const;
};

/// Square kernel, stride 1, padded so that the size stays.
struct Conv2d {
  at::Tensor weight, bias;  // [out, in, kernel, kernel], [out]

  void want(Parameters& parameters, const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel);
  /// x [N, in, H, W] -> [N, out, H, W]
  at::Tensor operator()(const at::Tensor& x) const;
};

}  // namespace trireme::nn
