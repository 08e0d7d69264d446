#pragma once
// Linear and convolution layers: a weight, perhaps a bias, and the ATen call. A module registers its slots with `want`
// and must then keep its address until the weights are loaded.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "worker/weights/parameters.h"

namespace trireme::nn {

enum class Bias { none, present };

struct Linear {
  at::Tensor weight, bias;  // [out, in] (a file may hold it as a 1x1 convolution, [out, in, 1, 1]); [out] or undefined
  at::Tensor scales;        // [out, 1], of a weight in float8; else undefined
  bool in_pairs = false;    // the weight is two layers' of a gate, in the order of kernels/gated_product.h

  /// `name` without ".weight" or ".bias".
  void want(Parameters& parameters, const std::string& name, std::int64_t out, std::int64_t in, Bias bias);
  /// Several layers of one input as one product: their rows one after the other, each padded with zeros to a multiple
  /// of `multiple`.
  struct Rows {
    std::string name;
    std::int64_t out;
  };
  void want_joined(Parameters& parameters, const std::vector<Rows>& layers, std::int64_t in, Bias bias,
                   std::int64_t multiple = 1);
  /// The product may be one of float8 where model.dtype says so: only what takes many rows at a time gains by it.
  void allow_fp8(Parameters& parameters) { parameters.allow_fp8(&weight, &scales); }
  /// Of two layers joined, the halves of a gate: where `in_pairs` is true, gated_product takes their weight.
  void allow_pairs(Parameters& parameters) { parameters.allow_pairs(&weight, &in_pairs); }
  /// x [.., in] -> [.., out]; in float8: x [rows, in]. Not of a weight in pairs.
  at::Tensor operator()(const at::Tensor& x) const;
  /// Of silu(a) * b [rows, in]: how a feed-forward ends.
  at::Tensor of_silu_mul(const at::Tensor& a, const at::Tensor& b) const;
};

/// The next multiple from `n` on.
inline std::int64_t padded(std::int64_t n, std::int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/// Square kernel, stride 1, padded so that the size stays.
struct Conv2d {
  at::Tensor weight, bias;  // [out, in, kernel, kernel], [out]

  void want(Parameters& parameters, const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel);
  /// It only ever meets pictures whose pixels were doubled: the weight may be folded, to a kernel of 2
  /// (weights/convolutions.h).
  void allow_folding(Parameters& parameters) { parameters.allow_folding(&weight); }
  /// x [N, in, H, W] -> [N, out, H, W]
  at::Tensor operator()(const at::Tensor& x) const;
};

}  // namespace trireme::nn
