#pragma once
// status.json: how a job is getting on, for `trireme top` and scripts. Rank 0, at every monitor interval.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "common/node_sample.h"

namespace trireme {

/// Something a person should look at, as long as it lasts.
struct Alert {
  std::string kind;  // gpu_memory | gpu_temperature | gpu_throttling | gpu_ecc | ram | disk | slow_replica
  std::string host;  // empty: of no one node
  int device = -1;   // GPU or replica; negative: none
  std::string text;
  bool operator==(const Alert&) const = default;
};
void to_json(nlohmann::ordered_json& json, const Alert& alert);
void from_json(const nlohmann::ordered_json& json, Alert& alert);

struct ReplicaStatus {
  int in_hand = 0;         // units
  std::uint64_t done = 0;  // items of this job
  double busy_seconds = 0;
  bool slow = false;
};

struct Status {
  std::string state;    // running | stopping (finishes what has begun) | ended
  int exit_code = 0;    // written when ended
  std::string updated;  // UTC; set by read_status
  std::string run_id, host;
  int pid = 0, launch = 0, world = 1;
  std::uint64_t total = 0, done = 0, failed = 0;  // items, with those of earlier jobs
  double seconds = 0;                             // since the loop began
  double items_per_second = 0;                    // of this job
  std::uint64_t tokens = 0;                       // written by this job, unfinished answers among them
  double tokens_per_second = 0;                   // of this job
  double seconds_left = -1;                       // negative: not known yet
  int slowest_replica = -1;                       // negative: not known yet
  std::vector<ReplicaStatus> replicas;            // in their order
  std::vector<NodeSample> nodes;                  // of this job, as last heard
  std::vector<Alert> alerts;                      // that hold now
};

/// Readers see the old or the new file, never half of one. A job that crashed leaves its last "running": `updated`
/// grows old, and the lock's process is gone. Throws Error(io_error or cannot_create).
void write_status(const std::filesystem::path& file, const Status& status);

/// Throws Error: input_missing, bad_data (not what write_status wrote).
Status read_status(const std::filesystem::path& file);

}  // namespace trireme
