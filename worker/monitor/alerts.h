#pragma once
// What of the nodes and replicas a person should look at. `find_alerts` is a pure function; `AlertLog` says each alert
// once in the log. Rank 0.

#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "common/job.h"
#include "common/status.h"

namespace trireme {

/// Those of GPU memory, temperature and RAM are above the job's limits; a disk is low below 2 GiB; a GPU is throttled
/// by heat, hardware or the power brake (at its power cap is where a busy GPU should be); ECC errors are uncorrected.
std::vector<Alert> find_alerts(const std::vector<NodeSample>& nodes, const std::vector<ReplicaStatus>& replicas,
                               const Job::Monitor& limits);

class AlertLog {
 public:
  /// Those not said before in this job, and said now: a value that swings about its limit is one line.
  std::vector<Alert> say_new(const std::vector<Alert>& alerts);

 private:
  std::set<std::tuple<std::string, std::string, int>> said_;  // kind, host, device
};

}  // namespace trireme
