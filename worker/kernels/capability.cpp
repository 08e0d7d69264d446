#include "worker/kernels/capability.h"

#include <ATen/cuda/CUDAContext.h>

namespace trireme::kernels {

int capability(c10::Device device) {
  if (!device.is_cuda()) return 0;
  const cudaDeviceProp* const properties = at::cuda::getDeviceProperties(device.index());
  return 10 * properties->major + properties->minor;
}

int multiprocessors(c10::Device device) { return at::cuda::getDeviceProperties(device.index())->multiProcessorCount; }

}  // namespace trireme::kernels
