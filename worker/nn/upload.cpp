#include "worker/nn/upload.h"

#include <ATen/ATen.h>

namespace trireme::nn {

at::Tensor upload(const at::Tensor& host, at::Device device) {
  if (host.device() == device) return host;
  return host.contiguous().pin_memory().to(device, /*non_blocking=*/true);
}

}  // namespace trireme::nn
