#pragma once
// Reads ranges of files on threads of its own, some ahead of whoever takes them, in order. The threads touch files and
// host memory only: several, because one copies out of the page cache at a fraction of what memory and a GPU's link
// can do, and asks too little at a time of a disk that has many hands. Owned and used by the loader.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "common/safetensors.h"

namespace trireme {

struct FileRange {
  std::string file;
  std::uint64_t offset = 0, bytes = 0;
  std::byte* into = nullptr;  // read there, at once; null: into the next buffer
};

class ReadAhead {
 public:
  /// The buffers are used in turn and must outlive this object; each holds the largest range.
  ReadAhead(std::vector<FileRange> ranges, std::vector<std::span<std::byte>> buffers, int threads);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;

  /// Waits for the next range and gives its bytes. Throws what reading threw, this range or another: after that, and
  /// once a reader has failed, nothing further is read. A buffer stays as it is until `release`.
  std::span<const std::byte> next();
  /// The buffer of the earliest `next` that has not been released is needed no more. A range that was read to its
  /// place has none: it is not released.
  void release();

 private:
  void run();
  bool wait_for_buffer(std::size_t range);
  std::shared_ptr<const SafetensorsFile> open(const std::string& file);
  std::span<std::byte> target(std::size_t range) const;

  const std::vector<FileRange> ranges_;
  const std::vector<std::span<std::byte>> buffers_;
  std::vector<std::size_t> turn_;  // of each range: how many before it went through a buffer

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> read_;             // of each range
  std::size_t begun_ = 0, taken_ = 0;  // ranges
  std::size_t released_ = 0;           // buffers given back
  std::exception_ptr failure_;
  bool stop_ = false;
  std::mutex opening_;
  std::shared_ptr<const SafetensorsFile> opened_;  // the latest
  std::vector<std::thread> threads_;               // last: they start when all else is ready
};

}  // namespace trireme
