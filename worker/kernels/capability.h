#pragma once
// What kind of GPU a kernel would run on. Known from the start of the process, the same for every GPU of a model.

#include <c10/core/Device.h>

namespace trireme::kernels {

/// Compute capability, 90 for Hopper; 0 for a CPU.
int capability(c10::Device device);
/// Of a GPU.
int multiprocessors(c10::Device device);

}  // namespace trireme::kernels
