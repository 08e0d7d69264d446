#include "worker/output/writers.h"

#include <algorithm>
#include <utility>

#include "common/errors.h"
#include "common/host.h"
#include "common/steady_clock.h"

namespace trireme {
namespace {

constexpr int kMaxThreads = 8;

}  // namespace

Writers::Writers(const SinkSettings& settings, const std::vector<std::string_view>& names, int threads) {
  for (const std::string_view name : names) {
    const auto entry = std::find_if(kSinks.begin(), kSinks.end(), [&](const SinkEntry& e) { return e.name == name; });
    if (entry == kSinks.end()) throw Error(ExitCode::internal, "there is no sink named " + std::string(name));
    sinks_.push_back(entry->make(settings));
  }
  const int count = threads > 0 ? threads : std::min(kMaxThreads, usable_cpus());
  for (int i = 0; i < count; ++i) threads_.emplace_back([this] { run(); });
}

Writers::~Writers() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Writers::submit(Item item, Result result) {
  Work work{std::move(result), {}};
  work.written.item = std::move(item);
  work.written.error = work.result.error;
  work.written.degraded = work.result.degraded;
  work.written.text = std::move(work.result.text);
  if (const auto& saved = work.result.saved) {
    work.written.picture = saved->picture;
    work.written.tensors = saved->tensors;
    work.written.seconds = saved->seconds;
  }
  ++in_hand_;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(work));
  }
  wake_.notify_one();
}

std::optional<Written> Writers::take() {
  Work work;
  {
    const std::lock_guard lock(mutex_);
    if (error_) std::rethrow_exception(error_);
    if (done_.empty()) return std::nullopt;
    work = std::move(done_.front());
    done_.pop_front();
  }
  --in_hand_;
  return std::move(work.written);
}

void Writers::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
    if (waiting_.empty() || error_) return;
    Work work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    std::exception_ptr error;
    try {
      write(work);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error && !error_) error_ = error;
    done_.push_back(std::move(work));
  }
}

void Writers::write(Work& work) const {
  Written& written = work.written;
  if (!written.error.empty() || work.result.saved) return;
  const double begin = steady_seconds();
  try {
    for (const auto& sink : sinks_) sink->write(written.item, work.result, written);
  } catch (const ItemError& e) {
    written.error = e.what();
  }
  written.seconds = steady_seconds() - begin;
}

}  // namespace trireme
