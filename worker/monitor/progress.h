#pragma once
// What a person sees while a job runs, on rank 0's stderr: one bar that is redrawn on a terminal, plain lines otherwise
// (one every 1 %, but 2 s apart, and one every 30 s). A rank under mpirun has a pseudo terminal as stdout even when the
// job's output goes to a file, so only stderr is asked, and only outside a launcher, unless --progress says otherwise.

#include <cstdint>
#include <string>
#include <string_view>

namespace trireme {

enum class ProgressMode { none, lines, bar };

/// "auto", "bar", "lines", "none". `under_launcher`: started by mpirun or srun.
ProgressMode choose_progress(std::string_view wanted, bool stderr_is_terminal, bool under_launcher);

/// One moment of a run. Counts are items.
struct ProgressState {
  bool text = false;                              // items are requests, not images
  std::uint64_t done = 0, failed = 0, total = 0;  // of the run: in this job and before it
  std::uint64_t done_before = 0;                  // of `done` and `failed`, what an earlier job left
  double seconds = 0;                             // since the loop began
  std::uint64_t tokens = 0;                       // written in this job so far, unfinished answers among them
  int slowest_replica = -1;                       // -1: not known yet
  double slowest_seconds_per_item = 0;
};

/// Of this job; 0 before the first item.
double items_per_second(const ProgressState& state);
double tokens_per_second(const ProgressState& state);
/// Negative: not known yet.
double seconds_left(const ProgressState& state);

/// "12/96 done · 1 failed · 0.84 img/s · 1m40s left · slowest replica 3 (2.41 s/img)"; of text
/// "12/96 done · 5300 tokens · 812 tok/s · 6.1 req/s · 14s left"
std::string describe(const ProgressState& state);
/// "[=====>      ]  12/96 …", at most `columns` wide.
std::string draw_bar(const ProgressState& state, int columns);

class ProgressLine {
 public:
  explicit ProgressLine(ProgressMode mode) : mode_(mode) {}
  /// False: `update` at this time, in seconds, would print nothing whatever the state.
  bool due(double seconds) const;
  /// Prints if something should be printed now.
  void update(const ProgressState& state);
  /// The last word; ends the bar's line.
  void finish(const ProgressState& state);

 private:
  const ProgressMode mode_;
  double last_seconds_ = -1e9;
  std::uint64_t last_done_ = 0;
};

}  // namespace trireme
