#include "worker/exchange/buffer_pool.h"

#include "worker/device.h"

namespace trireme {

BufferPool::BufferPool(std::size_t limit_bytes, at::Device device)
    : limit_(limit_bytes), device_(device), out_(std::make_shared<std::atomic<std::size_t>>(0)) {}

std::optional<at::Tensor> BufferPool::take(std::size_t bytes) {
  const std::size_t out = *out_;  // others only lower it
  if (out != 0 && (out > limit_ || bytes > limit_ - out)) return std::nullopt;
  const at::Tensor memory = device::host_buffer(bytes, device_);
  *out_ += bytes;
  // Views share the storage, and with it this deleter.
  return at::from_blob(
      memory.data_ptr(), memory.sizes(), [memory, out = out_, bytes](void*) { *out -= bytes; }, memory.options());
}

}  // namespace trireme
