#pragma once
// Rank 0's host memory for results on their way to the writers, bounded: while the writers are slow nothing more is
// granted. Buffers are given back by whoever drops the last tensor that views one, on any thread, even after the pool.

#include <ATen/core/Tensor.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>

namespace trireme {

class BufferPool {
 public:
  /// `device`: where the bytes come from; pinned memory for a GPU.
  BufferPool(std::size_t limit_bytes, at::Device device);

  /// A uint8 tensor on the CPU, or nothing while too much is out. One buffer always fits, however large.
  std::optional<at::Tensor> take(std::size_t bytes);

 private:
  std::size_t limit_;
  at::Device device_;
  std::shared_ptr<std::atomic<std::size_t>> out_;
};

}  // namespace trireme
