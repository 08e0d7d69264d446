#include "worker/weights/read_ahead.h"

#include <utility>

namespace trireme {

ReadAhead::ReadAhead(std::vector<FileRange> ranges, std::vector<std::span<std::byte>> buffers, int threads)
    : ranges_(std::move(ranges)), buffers_(std::move(buffers)), read_(ranges_.size()) {
  std::size_t turn = 0;
  for (const FileRange& range : ranges_) {
    turn_.push_back(turn);
    if (range.into == nullptr) ++turn;
  }
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::span<std::byte> ReadAhead::target(std::size_t range) const {
  const FileRange& wanted = ranges_[range];
  if (wanted.into != nullptr) return {wanted.into, wanted.bytes};
  return buffers_[turn_[range] % buffers_.size()].first(wanted.bytes);
}

/// False when there is nothing more to read.
bool ReadAhead::wait_for_buffer(std::size_t range) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    return stop_ || failure_ || ranges_[range].into != nullptr || turn_[range] - released_ < buffers_.size();
  });
  return !stop_ && !failure_;
}

/// Ranges are in the order of files, so the threads want the same one nearly always.
std::shared_ptr<const SafetensorsFile> ReadAhead::open(const std::string& file) {
  const std::lock_guard lock(opening_);
  if (!opened_ || opened_->path() != file) opened_ = std::make_shared<const SafetensorsFile>(file);
  return opened_;
}

void ReadAhead::run() try {
  for (;;) {
    std::size_t range = 0;
    {
      const std::lock_guard lock(mutex_);
      if (begun_ == ranges_.size()) return;
      range = begun_++;
    }
    if (!wait_for_buffer(range)) return;
    const auto file = open(ranges_[range].file);
    file->prefetch(ranges_[range].offset, ranges_[range].bytes);
    file->read(ranges_[range].offset, target(range));
    {
      const std::lock_guard lock(mutex_);
      read_[range] = true;
    }
    changed_.notify_all();
  }
} catch (...) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
  changed_.notify_all();
}

std::span<const std::byte> ReadAhead::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return read_[taken_] || failure_; });
  if (failure_) std::rethrow_exception(failure_);
  return target(taken_++);
}

void ReadAhead::release() {
  {
    const std::lock_guard lock(mutex_);
    ++released_;
  }
  changed_.notify_all();
}

}  // namespace trireme
