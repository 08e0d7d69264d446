#include "worker/plan.h"

#include <torch/version.h>

#include <algorithm>
#include <map>
#include <utility>

#include "common/batches.h"
#include "common/caption_lengths.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/log.h"
#include "common/prompts.h"
#include "common/run_id.h"
#include "common/stage_split.h"
#include "common/strategies.h"
#include "common/xml_lint.h"
#include "worker/numeric_tables.h"

namespace trireme {
namespace {

constexpr std::uint64_t kBytesOfAnAnswer = 1024;  // its lines in journal and results
constexpr std::size_t kMostWarnings = 20;

/// Bytes the open items will take at least: photo-like pictures need more than half a byte a pixel.
std::uint64_t least_output_bytes(const Job& job, const Plan& plan, const RunDirectory& directory) {
  std::uint64_t sum = 0;
  for (const Item& item : plan.items) {
    if (directory.finished().contains(item.id)) continue;
    if (plan.checkpoint.defaults.makes == Makes::text) sum += kBytesOfAnAnswer;
    const std::uint64_t pixels = static_cast<std::uint64_t>(item.width) * static_cast<std::uint64_t>(item.height);
    if (job.output.images == "png") sum += pixels / 2;
    if (job.output.tensors) sum += pixels * 3 * sizeof(float);
  }
  return sum;
}

/// The job as it was read, for people and the report.
void write_job_file(const Job& job, const Plan& plan, int launch) {
  const auto line = [](const std::string& name, const std::string& value) { return "# " + name + ": " + value + "\n"; };
  std::string text = "# The last job of this run, with all defaults.\n";
  text += line("launch", std::to_string(launch)) + line("run id", plan.run_id);
  text += line("family", plan.checkpoint.family);
  if (!plan.checkpoint.fingerprint.empty()) text += line("checkpoint", plan.checkpoint.fingerprint);
  text += line("items", std::to_string(plan.items.size())) + line("batch", std::to_string(plan.batch));
  write_file(RunPaths{job.output.directory}.job(), text + to_yaml(job), Durability::renamed);
}

/// A second rank for the negative halves has nothing to do where there are none.
void refuse_idle_ranks(const Job& job, const Plan& plan) {
  if (job.parallel.guidance == 1) return;
  const SamplingDefaults& defaults = plan.checkpoint.defaults;
  const auto refuse = [&](const std::string& fact) {
    throw ConfigError(job.file.string() + ": parallel.guidance: " + fact + "; use 1");
  };
  if (defaults.makes != Makes::pictures) refuse("only models that make pictures have guidance");
  const bool guided = std::any_of(plan.items.begin(), plan.items.end(),
                                  [&](const Item& item) { return item.guidance > defaults.no_guidance; });
  if (!guided && !plan.items.empty()) refuse("no item has guidance, so that half of the ranks would be idle");
}

/// Ranks that share a unit would have to agree on how it is made.
void refuse_to_degrade_shared_units(const Job& job) {
  if (job.memory.on_oom != "degrade" || (job.parallel.stages == 1 && job.parallel.guidance == 1)) return;
  throw ConfigError(job.file.string() +
                    ": memory.on_oom: degrade is for ranks that each have the whole model; use fail " +
                    "with parallel.stages or parallel.guidance above 1");
}

void refuse_what_weights_on_the_host_exclude(const Job& job) {
  const auto refuse = [&](const std::string& key, const std::string& fact) {
    throw ConfigError(job.file.string() + ": " + key + ": true and memory.offload: " + job.memory.offload + ": " +
                      fact + "; use auto or false");
  };
  if (job.memory.offload == "none") return;
  if (job.memory.graphs.value_or(false)) refuse("memory.graphs", "a graph needs weights that stay where they are");
  if (job.memory.offload == "layers" && job.memory.overlap.value_or(false)) {
    refuse("memory.overlap", "pictures enter together to share the visits of layers");
  }
}

}  // namespace

Plan make_plan(const Job& job, const std::string& dtype, const std::string& device_name,
               const std::optional<InputShard>& shard) {
  Plan plan;
  refuse_to_degrade_shared_units(job);
  refuse_what_weights_on_the_host_exclude(job);
  plan.checkpoint = inspect(job);
  plan.items = read_items(job, plan.checkpoint.defaults);
  refuse_idle_ranks(job, plan);
  plan.batching = choose_batches(job, plan.checkpoint.defaults, device_name, plan.items);
  plan.batch = plan.batching.most;
  Job resolved = job;
  resolved.dispatch.batch = plan.batch;
  const std::string tables = std::string(kNumericTables) + "; " + plan.batching.to_text();
  plan.run_id = run_id(resolved, plan.checkpoint, dtype, tables, plan.items);
  std::vector<int> captions;
  if (plan.batch > 1) captions = caption_lengths(job, plan.checkpoint, plan.items);
  plan.units = form_units(plan.items, plan.batching, captions);
  if (shard) plan.shard = take_shard(*shard, plan.items, plan.units);
  return plan;
}

void log_warnings(const Plan& plan) {
  if (!plan.checkpoint.defaults.xml_prompts) return;
  const std::vector<TagWarning> warnings = lint_items(plan.items);
  for (std::size_t i = 0; i < std::min(warnings.size(), kMostWarnings); ++i) {
    log::warning("the tags of a prompt look wrong",
                 {{"id", warnings[i].id}, {"in", warnings[i].key}, {"fact", warnings[i].fact}});
  }
  if (warnings.size() > kMostWarnings) log::warning("and more of these", {{"count", warnings.size() - kMostWarnings}});
}

PipelinePlan plan_pipeline(const Job& job, const Plan& plan, const std::string& dtype, const std::string& device_name,
                           const Layout& layout) {
  if (job.parallel.stages == 1) return {};
  if (job.parallel.guidance > 1) {
    throw ConfigError(job.file.string() + ": parallel.guidance: 2 and parallel.stages: " +
                      std::to_string(job.parallel.stages) + " are not for one job; use 1 for either");
  }
  if (plan.checkpoint.family == "fake_text") {
    throw ConfigError(job.file.string() + ": parallel.stages: the fake family of text is not cut; use 1");
  }
  const ModelShape shape = read_model_shape(plan.checkpoint.family, job.model.path, dtype);
  const UnitCost cost =
      unit_cost(shape, plan.items, plan.batch, nominal_rates(device_name), usual_scale(shape, device_name, plan.batch));
  PipelinePlan pipeline;
  pipeline.cuts = stage_cuts(job, cost);
  const DeviceLimits limits = nominal_limits(device_name);
  const double crossing = crossing_bytes(shape, plan.items, plan.batch);
  const int units = (static_cast<int>(plan.items.size()) + plan.batch - 1) / plan.batch;
  pipeline.forecast =
      forecast(cost, {pipeline.cuts, (units + layout.replicas() - 1) / layout.replicas(), job.parallel.micro_batches,
                      limits.link_latency_seconds + crossing / limits.link_bytes_per_second});
  return pipeline;
}

std::unique_ptr<RunDirectory> open_run_directory(const Job& job, const Plan& plan, const Layout& layout, bool fresh,
                                                 const std::string& device_name) {
  if (!plan.shard) refuse_unmerged_shards(job.output.directory);
  RunSettings settings;
  settings.directory = job.output.directory;
  settings.run_id = plan.run_id;
  settings.fresh = fresh;
  settings.pictures = job.output.images == "png" && plan.checkpoint.defaults.makes == Makes::pictures;
  settings.tensors = job.output.tensors;
  settings.max_attempts = job.limits.max_attempts;
  settings.start.world = layout.ranks;
  settings.start.ranks_per_replica = layout.ranks_per_replica();
  settings.start.items = plan.items.size();
  settings.start.facts = run_facts(device_name);
  auto directory = std::make_unique<RunDirectory>(settings);
  write_job_file(job, plan, directory->launch());
  if (plan.shard) write_shard_file(job.output.directory, *plan.shard);
  require_free_space(job.output.directory, least_output_bytes(job, plan, *directory));
  return directory;
}

std::map<std::string, std::string> run_facts(const std::string& device_name) {
  return {{"trireme", TRIREME_VERSION}, {"torch", TORCH_VERSION}, {"device", device_name}};
}

Coordinator::Work remaining_work(Plan& plan, const RunDirectory& directory) {
  std::map<std::uint64_t, int> blames;
  for (const Suspect& suspect : directory.suspects()) blames.emplace(suspect.unit, suspect.blames);
  Coordinator::Work work;
  work.finished = directory.finished();
  for (Unit& unit : std::exchange(plan.units, {})) {
    const bool done = std::all_of(unit.items.begin(), unit.items.end(),
                                  [&](const Item& item) { return work.finished.contains(item.id); });
    if (done) continue;
    if (const auto blamed = blames.find(unit.index); blamed != blames.end()) {
      unit.attempt = 1 + blamed->second;
      work.suspects.push_back(work.units.size());
    }
    work.units.push_back(std::move(unit));
  }
  return work;
}

}  // namespace trireme
