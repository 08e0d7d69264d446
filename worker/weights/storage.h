#pragma once
// Memory of parameters: each tensor in storage of its own that starts at a multiple of 256 bytes on every device, so
// that kernels take the same path whatever else has been allocated.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "worker/weights/loader.h"

namespace trireme {

/// Uninitialised, contiguous.
at::Tensor parameter_storage(at::IntArrayRef shape, at::ScalarType dtype, at::Device device);

/// The part of its slot that a want fills.
at::Tensor filled_part(const Parameters::Want& want);

/// Every slot once, with the shape of its storage.
void for_each_slot(const PartParameters& wanted,
                   const std::function<void(const Parameters::Want&, const std::vector<std::int64_t>&)>& visit);

struct ParameterBytes {
  std::uint64_t device = 0;  // with the room in which layers from the host take turns
  std::uint64_t host = 0;
};
/// What `allocate_parameters` and the streams of weights will take.
ParameterBytes count_bytes(const PartParameters& wanted, at::ScalarType dtype);

/// Gives every slot its storage; the bytes of all.
std::uint64_t allocate_parameters(const PartParameters& wanted, at::ScalarType dtype, at::Device device);

}  // namespace trireme
