#pragma once
// Appends to journal.jsonl with group commit: a thread of its own writes and syncs what has come together, at most
// every half second or 64 lines. A power cut loses at most that much work and no file; the crash of this process loses
// item lines that were not written yet, never a `sent` line. Rank 0; calls from one thread. An error of the disk is
// thrown by the next call.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

#include "common/errors.h"
#include "common/files.h"
#include "common/journal_lines.h"

namespace trireme {

class Journal {
 public:
  struct Settings {
    std::chrono::milliseconds interval{500};
    std::size_t lines = 64;
  };
  /// Goes on behind the last line of `file`, which exists and ends in a newline. `launch` is that of its last start
  /// line.
  Journal(std::filesystem::path file, int launch, Settings settings);
  Journal(std::filesystem::path file, int launch) : Journal(std::move(file), launch, Settings{}) {}
  Journal(const Journal&) = delete;
  /// Writes what is left, as far as the disk lets it.
  ~Journal();

  /// Before the unit leaves: written (not synced) when this returns.
  void sent(const SentLine& line);
  void returned(const ReturnedLine& line);
  /// After the item's files are durable.
  void item(const ItemRecord& record);
  /// Item lines on the disk so far, of those given to `item`.
  std::uint64_t durable() const;
  /// Waits until everything is on the disk.
  void flush();
  /// The job ended by itself and nothing is in hand: the last line, on the disk when this returns. Nothing may follow.
  void finish(ExitCode code);

 private:
  using Lock = std::unique_lock<std::mutex>;
  void add(const JournalLine& line);
  void run();
  void write_pending(const Lock& lock);
  void rethrow(const Lock& lock) const;

  const std::filesystem::path file_;
  const int launch_;
  const Settings settings_;
  const Descriptor descriptor_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, synced_;
  std::string pending_;                          // lines not written yet
  std::uint64_t lines_ = 0, lines_on_disk_ = 0;  // of all kinds
  std::uint64_t items_ = 0, items_on_disk_ = 0;
  bool hurry_ = false, stop_ = false;
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace trireme
