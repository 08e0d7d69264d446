#pragma once
// What a journal says about work done before: finished items, and units that may have killed a rank. Pure but for
// reading the journal; docs/formats.md draws the states. Rank 0 and the trireme command.

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/journal_lines.h"
#include "common/rank_log_marker.h"

namespace trireme {

/// A unit that was in hand when a job crashed and is not finished: run it with nothing else in hand of its replica.
struct Suspect {
  std::uint64_t unit = 0;
  std::vector<std::string> ids;
  int blames = 0;  // jobs in which it was the sole unit in hand of a rank that died
};

class RunState {
 public:
  void apply(const JournalLine& line);

  /// The last line of each id.
  const std::unordered_map<std::string, ItemRecord>& items() const { return items_; }
  /// Forgets an item, so that it is made again: its file is gone.
  void redo(const std::string& id) { items_.erase(id); }
  /// In order of the unit; those whose items are all finished or failed are none.
  std::vector<Suspect> suspects() const;
  /// The last start line; launch 0: no job has started yet.
  const StartLine& last_start() const { return start_; }
  bool ended_by_itself() const { return start_.launch == 0 || ended_; }

  /// What to note of the last job when it ended by a crash; `words` are those of its ranks, in order. A rank without an
  /// end line died. If none of several ranks has one, the machine or the launcher went, and nobody is blamed. If all
  /// have one, the job was stopped from outside, and nobody is even suspected.
  std::vector<SuspectLine> suspects_of_crash(const std::vector<rank_log::LastWord>& words) const;

 private:
  struct Suspicion {
    std::vector<std::string> ids;
    std::set<int> noted_in, blamed_in;  // launches
  };
  bool unfinished(const std::vector<std::string>& ids) const;

  std::unordered_map<std::string, ItemRecord> items_;
  std::map<std::uint64_t, SentLine> sent_;  // handed out in the last job and not given back
  std::map<std::uint64_t, Suspicion> suspicions_;
  StartLine start_;
  bool ended_ = false;
};

}  // namespace trireme
