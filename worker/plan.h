#pragma once
// What rank 0 works out before any rank loads anything: the checked input, the run directory, the units left to do.
// Every mistake of the user that can be found here is found here.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/batches.h"
#include "common/checkpoint.h"
#include "common/item.h"
#include "common/job.h"
#include "common/layout.h"
#include "common/ring_forecast.h"
#include "common/run_directory.h"
#include "common/shard_file.h"
#include "worker/dispatch/coordinator.h"
#include "worker/transport/launch.h"

namespace trireme {

struct Plan {
  Checkpoint checkpoint;
  std::vector<Item> items;  // of the whole input, or of this job's shard of it
  std::vector<Unit> units;  // of these items; remaining_work takes them
  Batching batching;
  int batch = 1;       // items of a unit, at most
  std::string run_id;  // of the whole input
  std::optional<ShardFile> shard;
};

/// Reads and checks input and checkpoint folder; touches nothing. `dtype`: model.dtype, resolved; `gpu`: the ranks have
/// one each.
Plan make_plan(const Job& job, const std::string& dtype, const std::string& device_name,
               const std::optional<InputShard>& shard);

/// What a person may want to put right before a long run, such as tags that are not closed. The log's.
void log_warnings(const Plan& plan);

/// Of a model that is cut over several ranks.
struct PipelinePlan {
  std::vector<int> cuts;  // in half layers; empty for one stage
  RingForecast forecast;  // of the replica with most units
};

/// Throws ConfigError when the layers can't be cut over parallel.stages.
PipelinePlan plan_pipeline(const Job& job, const Plan& plan, const std::string& dtype, const std::string& device_name,
                           const Layout& layout);

/// Opens, locks and resumes the run directory; throws when it can't hold what is still to be written.
std::unique_ptr<RunDirectory> open_run_directory(const Job& job, const Plan& plan, const Layout& layout, bool fresh,
                                                 const std::string& device_name);

/// What bits depend on beside the run id: a resume on others warns.
std::map<std::string, std::string> run_facts(const std::string& device_name);

/// Units with an item that is not finished; suspects are marked. Leaves the plan without units.
Coordinator::Work remaining_work(Plan& plan, const RunDirectory& directory);

}  // namespace trireme
