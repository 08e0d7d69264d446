#pragma once
// One job a run directory: a file that names who holds it. Made with O_EXCL, which network file systems keep too. A
// lock whose process is gone is taken over; one held on another host can't be looked at, so it is refused with the
// remedy. Rank 0.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "common/files.h"

namespace trireme {

/// Who holds a lock. A process is host, boot, pid namespace, pid and start: a pid alone is used again.
struct LockHolder {
  std::string host, boot, pid_namespace;
  std::int64_t pid = 0;
  std::uint64_t start_ticks = 0;  // since boot, from /proc
  std::string job;                // SLURM_JOB_ID, may be empty
  std::string restart;            // SLURM_RESTART_COUNT: the same job in a later life has another
  std::string since;              // UTC
};
LockHolder this_process();

enum class LockState { held, stale, unknown };
/// `start_ticks_of` looks a process of this host up; nothing: no such process. unknown: it can't be seen from here.
LockState judge(const LockHolder& holder, const LockHolder& self,
                const std::function<std::optional<std::uint64_t>(std::int64_t pid)>& start_ticks_of);

class LockFile {
 public:
  /// Throws Error(cannot_create) when another job holds the lock, naming it, and when the folder can't be written.
  explicit LockFile(std::filesystem::path file, const LockHolder& self = this_process());
  LockFile(const LockFile&) = delete;
  ~LockFile();
  const std::filesystem::path& path() const { return file_; }
  int descriptor() const { return descriptor_.get(); }

 private:
  bool create(const LockHolder& self);
  void take_over(const LockHolder& self);

  std::filesystem::path file_;
  Descriptor descriptor_;  // keeps the inode number from being used again
};

/// Removes `path` if it is still the file of `descriptor`. Safe in signal handlers.
void remove_if_same(int descriptor, const char* path) noexcept;

}  // namespace trireme
