#pragma once
// summary.json and the closing table: where the time of a job went. Plain data filled in on rank 0 at the end.

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/ring_loss.h"

namespace trireme {

/// Where a rank's time goes. Transfer and write are those of the results that the rank made: rank 0 does both.
enum class RankPhase { load, encode, prefill, denoise, decode, transfer, write };
inline constexpr std::array<const char*, 7> kRankPhases{"load",   "encode",   "prefill", "denoise",
                                                        "decode", "transfer", "write"};

struct RankSummary {
  int rank = 0;
  std::string host, device;
  std::uint64_t items = 0;                           // made in this job
  std::uint64_t tokens = 0;                          // written in them
  std::array<double, kRankPhases.size()> seconds{};  // sums, indexed by RankPhase
  double busy_seconds = 0, idle_seconds = 0;         // of the loop
  double longest_pass_seconds = 0;                   // of the loop
  std::uint64_t peak_memory_bytes = 0;
  std::uint64_t control_messages = 0, control_bytes = 0;   // over MPI
  std::uint64_t carrier_transfers = 0, carrier_bytes = 0;  // sent over the carrier
  std::string gpu_uuid;                                    // as NVML says it; empty: no GPU

  /// Of a phase, without what was encoded or decoded beside another unit's steps, whose seconds have it already: the
  /// phases sum to no more than the busy time.
  double seconds_alone(RankPhase phase) const;
};

/// A job whose model is cut over several ranks.
struct PipelineSummary {
  int stages = 1;
  std::string layers;            // of each stage
  RingLoss predicted, measured;  // of the mean replica
  double seconds = 0;            // from first entry to last decode, of the slowest replica
  double predicted_seconds = 0;
};

struct Summary {
  std::string run_id;
  int launch = 1, exit_code = 0;
  std::string policy, carrier;                    // "nccl", "mpi" or "self"
  std::map<std::string, std::string> facts;       // versions, device model
  std::uint64_t total = 0, done = 0, failed = 0;  // items, with those of earlier jobs
  std::uint64_t degraded = 0;                     // of those done: memory was short, bits may differ
  double work_seconds = 0;                        // from the first entry into the layers to the last decoding's end
  double latency_seconds = 0;                     // mean of a unit, from its first work to its last
  double seconds = 0;                             // of this job, from the first scatter to the last result on disk
  std::vector<std::pair<std::string, double>> start_up;  // steps of rank 0 up to its first result on disk, in seconds
  int replicas = 1;
  double lower_bound_seconds = 0;       // see common/lower_bound.h; 0: not known, or units overlap (a pipeline)
  std::optional<double> energy_joules;  // of the GPUs of this job's ranks, over `seconds`
  int energy_gpus = 0;
  bool text = false;  // items are requests that text answers, not images
  std::optional<PipelineSummary> pipeline;
  std::vector<RankSummary> ranks;  // in order, at least one

  std::uint64_t made() const;       // items of this job
  double items_per_second() const;  // of this job; 0 when it made none
  std::uint64_t tokens() const;     // written in this job
  double tokens_per_second() const;
  /// Mean over maximum of the ranks' busy time: 1 = perfectly even, 1/ranks = one rank did all. 1 when none was busy.
  double balance() const;
  double over_lower_bound() const;  // seconds over the lower bound; 0: not known
  double joules_per_item() const;   // of this job; 0: not known
};

struct Spread {
  double min = 0, average = 0, max = 0;
};
Spread spread_of(const Summary& summary, RankPhase phase);

std::string to_text(const Summary& summary);  // of summary.json
void write_summary(const std::filesystem::path& file, const Summary& summary);
/// What the summary of another version lacks is 0 or empty. Throws Error: input_missing, bad_data (no JSON, no ranks).
Summary read_summary(const std::filesystem::path& file);
/// Lines that begin with '#' are headers; columns have units. Phases in which nobody spent any time are left out. Ends
/// in a newline.
std::string closing_table(const Summary& summary);

}  // namespace trireme
