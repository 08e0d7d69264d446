#pragma once
// Where the time of a job went, in numbers. Pure functions of what a run says.

#include <optional>
#include <string_view>
#include <vector>

#include "launcher/report/run_record.h"

namespace trireme::report {

/// Shares of all ranks' seconds of the loop (ranks x seconds); they sum to 1, or a little more where phases overlap.
struct TimeShares {
  double encode = 0, prefill = 0, denoise = 0, decode = 0;
  double other = 0;    // busy, but in none of the phases: launches, copies, waiting for a peer of the replica
  double uneven = 0;   // idle because another rank had more work: the largest busy time less the mean
  double waiting = 0;  // the rest of the idle time: for the first unit, for messages, for the last files
};
/// Nothing when the job took no time.
std::optional<TimeShares> time_shares(const Summary& summary);

/// The step of Summary::start_up that is of the loop.
inline constexpr std::string_view kFirstResult = "first result";
/// From the start of rank 0's process to its loop; of summaries without steps the longest loading of a rank.
double start_seconds(const Summary& summary);

/// How slow each replica is against the others: the median over its items of their seconds over the median of all items
/// of the same size. 0: it made too few to say.
std::vector<double> relative_slowness(const RunRecord& run);

/// Of the last job, from the last unit that came home to the end: writing.
std::optional<double> tail_seconds(const RunRecord& run);

}  // namespace trireme::report
