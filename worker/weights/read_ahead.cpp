#include "worker/weights/read_ahead.h"

#include <memory>
#include <utility>

#include "common/safetensors.h"

namespace trireme {

ReadAhead::ReadAhead(std::vector<FileRange> ranges, std::vector<std::span<std::byte>> buffers)
    : ranges_(std::move(ranges)), buffers_(std::move(buffers)) {
  std::size_t turn = 0;
  for (const FileRange& range : ranges_) {
    turn_.push_back(turn);
    if (range.into == nullptr) ++turn;
  }
  thread_ = std::thread([this] { run(); });
}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::span<std::byte> ReadAhead::target(std::size_t range) const {
  const FileRange& wanted = ranges_[range];
  if (wanted.into != nullptr) return {wanted.into, wanted.bytes};
  return buffers_[turn_[range] % buffers_.size()].first(wanted.bytes);
}

void ReadAhead::run() try {
  std::unique_ptr<SafetensorsFile> file;
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock,
                    [&] { return stop_ || ranges_[i].into != nullptr || turn_[i] - released_ < buffers_.size(); });
      if (stop_) return;
    }
    if (!file || file->path() != ranges_[i].file) file = std::make_unique<SafetensorsFile>(ranges_[i].file);
    file->read(ranges_[i].offset, target(i));
    {
      const std::lock_guard lock(mutex_);
      ++read_;
    }
    changed_.notify_all();
  }
} catch (...) {
  {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
  }
  changed_.notify_all();
}

std::span<const std::byte> ReadAhead::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return read_ > taken_ || failure_; });
  if (read_ == taken_) std::rethrow_exception(failure_);
  return target(taken_++);
}

void ReadAhead::release() {
  {
    const std::lock_guard lock(mutex_);
    if (ranges_[taken_ - 1].into == nullptr) ++released_;
  }
  changed_.notify_all();
}

}  // namespace trireme
