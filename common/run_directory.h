#pragma once
// The folder of a run, opened for work: locked, checked against the run id, its journal read and open for more. Rank 0.
// The other ranks and the trireme command use RunPaths. docs/formats.md describes every file.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/journal.h"
#include "common/lock_file.h"
#include "common/resume.h"

namespace trireme {

/// Names of the files of a run. Nothing is touched.
struct RunPaths {
  std::filesystem::path root;
  std::filesystem::path images() const { return root / "images"; }
  std::filesystem::path tensors() const { return root / "tensors"; }
  std::filesystem::path journal() const { return root / "journal.jsonl"; }
  std::filesystem::path results() const { return root / "results.jsonl"; }
  std::filesystem::path summary() const { return root / "summary.json"; }
  std::filesystem::path status() const { return root / "status.json"; }
  std::filesystem::path job() const { return root / "job.yaml"; }
  std::filesystem::path history() const { return root / "monitor.jsonl"; }
  std::filesystem::path trace() const { return root / "trace.json"; }
  std::filesystem::path lock() const { return root / "lock"; }
  std::filesystem::path rank_log(int rank) const;  // rank-00003.log
  static std::string picture(const std::string& id) { return "images/" + id + ".png"; }
  static std::string tensors_of(const std::string& id) { return "tensors/" + id + ".safetensors"; }
};

struct RunSettings {
  std::filesystem::path directory;
  std::string run_id;
  bool fresh = false;                     // remove the results of the former run first, whatever its run id
  bool pictures = true, tensors = false;  // a finished item without a file wanted now is made again
  int max_attempts = 2;                   // limits.max_attempts
  StartLine start;                        // world, ranks_per_replica, items, facts; the launch number is found here
};

class RunDirectory {
 public:
  /// Throws Error: cannot_create (not writable, or another job holds it), io_error (disk full), ConfigError (another
  /// run is in there). Logs what it found; warns of damaged journal lines and of facts unlike the last job's.
  explicit RunDirectory(const RunSettings& settings);

  const RunPaths& paths() const { return paths_; }
  const LockFile& lock() const { return *lock_; }
  Journal& journal() { return *journal_; }
  int launch() const { return launch_; }
  /// Finished and failed items of former jobs, by id: not to be made again. Files of the ok ones are there in full
  /// size.
  const std::unordered_map<std::string, ItemRecord>& finished() const { return state_.items(); }
  /// Units to run alone, first. Those that killed too many ranks are failed already.
  const std::vector<Suspect>& suspects() const { return suspects_; }

 private:
  std::vector<JournalLine> look_back(const RunSettings& settings);

  RunPaths paths_;
  std::unique_ptr<LockFile> lock_;
  std::unique_ptr<Journal> journal_;
  RunState state_;
  std::vector<Suspect> suspects_;
  int launch_ = 0;
};

/// Before any work: throws Error(io_error) when the file system of `directory` has less than `bytes` free.
void require_free_space(const std::filesystem::path& directory, std::uint64_t bytes);

}  // namespace trireme
