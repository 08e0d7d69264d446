#pragma once
// How loaded weights lie on a device, for the kernels that it has: float8, gates in pairs, convolutions.

#include <cstdint>

#include "worker/weights/loader.h"

namespace trireme {

struct Arrangement {
  at::Device device;
  at::ScalarType dtype;
  bool fp8 = false;   // model.dtype: fp8, which leaves gates as they are
  bool pairs = true;  // where the device has a kernel for them
};
/// On this rank, once, behind loading. Gives the bytes that it added; below 0: saved.
std::int64_t arrange_weights(const PartParameters& wanted, const Arrangement& as);

}  // namespace trireme
