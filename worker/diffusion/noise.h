#pragma once
// Starting noise of an item: the same numbers as torch.Generator("cpu").manual_seed(seed), whatever the device.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace trireme {

/// Host tensor, float32. The generator is the item's own.
at::Tensor draw_noise(at::IntArrayRef shape, std::uint64_t seed);

}  // namespace trireme
