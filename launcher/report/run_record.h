#pragma once
// Everything that a run directory says, read into one struct. What is missing, damaged or of another job is left out
// and named in `missing`: a report is made from what is there.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/journal_lines.h"
#include "common/monitor_history.h"
#include "common/status.h"
#include "common/summary.h"

namespace trireme::report {

struct RunItem {
  ItemRecord record;
  std::string prompt;               // empty: not known
  std::vector<std::string> images;  // names of the input's pictures
  bool of_last_job = false;
};

/// A span of the timeline that --trace writes.
struct TraceSpan {
  enum class Lane { device, beside, waiting, results };
  int rank = 0;
  Lane lane = Lane::device;
  std::string kind;  // wait | slot | encode | prefill | denoise | decode | transfer | write
  std::string title;
  double begin = 0, seconds = 0;  // since the loop began
};

/// `summary`, `samples` and `spans` are those of the last job only.
struct RunRecord {
  std::filesystem::path folder;
  std::string name;              // of the folder
  std::string run_id;            // empty: not known
  StartLine start;               // of the last job; launch 0: not known
  bool ended = false;            // by itself
  bool merged = false;           // from shards: its times are those of several jobs
  std::uint64_t sent_again = 0;  // units that were handed out more than once by the last job
  std::vector<RunItem> items;    // in the order of the input, else of the journal
  bool in_input_order = false;
  bool items_known = false;        // there is a journal
  std::optional<Summary> summary;  // a job that was killed has none
  std::optional<Status> status;    // the last sign of life
  std::vector<HistorySample> samples;
  std::vector<HistoryAlert> alerts;
  std::string job;                   // job.yaml; empty: not there
  std::vector<TraceSpan> spans;      // empty: no --trace
  std::vector<std::string> missing;  // sentences

  int ranks() const;
  int replicas() const;
  bool text() const;                      // answers, not pictures
  std::optional<double> seconds() const;  // of the last job's loop, as far as known
  std::uint64_t failed() const;
  std::uint64_t done() const;
  std::uint64_t total() const;
};

/// Throws Error: input_missing (no such folder, or nothing of a run in it), configuration (another program's journal
/// and nothing else).
RunRecord read_run_record(const std::filesystem::path& folder);

}  // namespace trireme::report
