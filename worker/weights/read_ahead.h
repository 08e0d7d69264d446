#pragma once
// Reads ranges of files in order on a thread of its own, a few ahead of whoever takes them. The thread touches files
// and host memory only. Owned and used by the loader on rank 0.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace trireme {

struct FileRange {
  std::string file;
  std::uint64_t offset = 0, bytes = 0;
  std::byte* into = nullptr;  // read there, at once; null: into the next buffer
};

class ReadAhead {
 public:
  /// The buffers are used in turn and must outlive this object; each holds the largest range.
  ReadAhead(std::vector<FileRange> ranges, std::vector<std::span<std::byte>> buffers);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;

  /// Waits for the next range and gives its bytes. Throws what reading it threw. A buffer stays as it is until
  /// `release`.
  std::span<const std::byte> next();
  /// The bytes of the last `next` are needed no more.
  void release();

 private:
  void run();
  std::span<std::byte> target(std::size_t range) const;

  const std::vector<FileRange> ranges_;
  const std::vector<std::span<std::byte>> buffers_;
  std::vector<std::size_t> turn_;  // of each range: how many before it went through a buffer

  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t read_ = 0, taken_ = 0;  // ranges
  std::size_t released_ = 0;          // buffers given back
  std::exception_ptr failure_;
  bool stop_ = false;
  std::thread thread_;  // last: starts when all else is ready
};

}  // namespace trireme
