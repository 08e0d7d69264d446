#pragma once
// monitor.jsonl: how nodes and GPUs were while jobs ran, and the alerts, a line each. Never more than about 8 MB: when
// it is full, every second sample goes, and from then on half as many are kept. Rank 0 writes, the report reads.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/files.h"
#include "common/node_sample.h"
#include "common/status.h"

namespace trireme {

class MonitorHistory {
 public:
  /// Goes on behind what is there.
  explicit MonitorHistory(std::filesystem::path file, int launch, std::uint64_t max_bytes = 8u << 20);

  /// `seconds` since the loop began, `unix_seconds` the time of day then. Nodes without news since the last call are
  /// left out. `last`: kept in any case. Throws Error(io_error or cannot_create).
  void add(double seconds, double unix_seconds, const std::vector<NodeSample>& nodes, bool last = false);
  void add(double seconds, const Alert& alert);

 private:
  void write(const std::string& line);
  void thin();

  const std::filesystem::path file_;
  const int launch_;
  const std::uint64_t max_bytes_;
  Descriptor descriptor_;
  std::uint64_t bytes_ = 0;
  std::uint64_t stride_ = 1, offered_ = 0;
  std::vector<NodeSample> before_;  // as last written
};

/// A node at one moment; `seconds` since the loop of that job began, by the node's clock: negative while it loaded.
struct HistorySample {
  int launch = 0;
  double seconds = 0;
  NodeSample node;
};
struct HistoryAlert {
  int launch = 0;
  double seconds = 0;
  Alert alert;
};
struct HistoryFile {
  std::vector<HistorySample> samples;
  std::vector<HistoryAlert> alerts;
  std::uint64_t damaged = 0;  // lines that can't be read: a crash cuts off the last one
};
/// Throws Error: input_missing, io_error, bad_data (too large).
HistoryFile read_history(const std::filesystem::path& file);

}  // namespace trireme
