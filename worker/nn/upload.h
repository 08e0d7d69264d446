#pragma once
// Host tensors to the model's device without waiting: through pinned memory, in stream order.

#include <ATen/core/Tensor.h>

namespace trireme::nn {

/// A copy of `host` on `device`, enqueued on the current stream; `host` itself if it is there already. The pinned copy
/// comes from ATen's caching host allocator, which reuses it only after the transfer.
at::Tensor upload(const at::Tensor& host, at::Device device);

}  // namespace trireme::nn
