#include "common/journal.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

namespace trireme {
namespace {

Descriptor open_for_appending(const std::filesystem::path& file) {
  Descriptor descriptor(::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (descriptor.get() < 0) {
    throw Error(ExitCode::cannot_create,
                "can't append to " + file.string() + ": " + errno_text(errno) + "; check its permissions");
  }
  return descriptor;
}

}  // namespace

Journal::Journal(std::filesystem::path file, int launch, Settings settings)
    : file_(std::move(file)),
      launch_(launch),
      settings_(settings),
      descriptor_(open_for_appending(file_)),
      thread_([this] { run(); }) {}

Journal::~Journal() {
  {
    const Lock lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Journal::sent(const SentLine& line) {
  add(line);
  const Lock lock(mutex_);
  write_pending(lock);
}

void Journal::returned(const ReturnedLine& line) { add(line); }

void Journal::item(const ItemRecord& record) { add(record); }

std::uint64_t Journal::durable() const {
  const Lock lock(mutex_);
  rethrow(lock);
  return items_on_disk_;
}

void Journal::flush() {
  Lock lock(mutex_);
  hurry_ = lines_on_disk_ != lines_;
  wake_.notify_one();
  synced_.wait(lock, [&] { return error_ || lines_on_disk_ == lines_; });
  rethrow(lock);
}

void Journal::finish(ExitCode code) {
  add(EndLine{launch_, static_cast<int>(code)});
  flush();
}

void Journal::add(const JournalLine& line) {
  const std::string text = to_text(line);
  const Lock lock(mutex_);
  rethrow(lock);
  pending_ += text;
  ++lines_;
  items_ += std::holds_alternative<ItemRecord>(line);
  wake_.notify_one();
}

void Journal::write_pending(const Lock&) {
  const std::string text = std::exchange(pending_, {});
  try {
    write_all(descriptor_, text, file_);
  } catch (const Error&) {
    error_ = std::current_exception();  // half a line may stand there now: nothing may follow it
    throw;
  }
}

void Journal::rethrow(const Lock&) const {
  if (error_) std::rethrow_exception(error_);
}

void Journal::run() {
  Lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || error_ || lines_ > lines_on_disk_; });
    wake_.wait_for(lock, settings_.interval,
                   [&] { return stop_ || hurry_ || error_ || lines_ - lines_on_disk_ >= settings_.lines; });
    if (error_) break;
    hurry_ = false;
    const std::uint64_t lines = lines_, items = items_;
    try {
      write_pending(lock);
      lock.unlock();
      sync(descriptor_, file_);
      lock.lock();
      lines_on_disk_ = lines;
      items_on_disk_ = items;
    } catch (const Error&) {
      if (!lock.owns_lock()) lock.lock();
      error_ = std::current_exception();
    }
    synced_.notify_all();
    if (error_ || (stop_ && lines_on_disk_ == lines_)) break;
  }
  synced_.notify_all();
}

}  // namespace trireme
