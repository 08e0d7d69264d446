#include "worker/job_run.h"

#include <c10/core/InferenceMode.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/cost_model.h"
#include "common/host.h"
#include "common/input_shard.h"
#include "common/log.h"
#include "common/model_shape.h"
#include "common/offload_cost.h"
#include "common/rank_log_marker.h"
#include "common/sha256.h"
#include "common/slurm.h"
#include "common/steady_clock.h"
#include "worker/device.h"
#include "worker/dispatch/work_estimate.h"
#include "worker/engine/guidance_pair.h"
#include "worker/engine/overlapped.h"
#include "worker/engine/pipeline.h"
#include "worker/engine/second_try.h"
#include "worker/engine/warm_up.h"
#include "worker/engine/whole_model.h"
#include "worker/exchange/codec.h"
#include "worker/fatal.h"
#include "worker/kernels/capability.h"
#include "worker/loop.h"
#include "worker/models/load.h"
#include "worker/monitor/monitor.h"
#include "worker/monitor/node_reader.h"
#include "worker/monitor/node_sampler.h"
#include "worker/monitor/rank_report.h"
#include "worker/monitor/trace.h"
#include "worker/output/writers.h"
#include "worker/plan.h"
#include "worker/transport/list.h"

namespace trireme {
namespace {

constexpr std::size_t kReplicaWarmUpBytes = 1u << 20;  // connections are set up, whatever the size
constexpr std::uint64_t kSmallResult = 1u << 16;       // bytes: ids, errors, records, without pictures and tensors

bool writes_local(const Job& job) { return job.output.write == "local"; }

/// Results in host memory at once, without pinning in the loop: on rank 0 as many as the exchange's pool, at most 8; of
/// a rank that writes for itself one that is copied while another is encoded.
std::size_t reserved_results(const Job& job, const Launch& launch, std::uint64_t bytes) {
  if (writes_local(job)) return 2;
  return launch.rank == 0 ? std::clamp<std::size_t>(Exchange::Settings{}.pool_bytes / bytes, 1, 8) : 1;
}

std::string dtype_name(const Job& job, at::Device device) {
  return job.model.dtype.value_or(device.is_cuda() ? "bfloat16" : "float32");
}

/// Of all that is not held in float8; a CPU emulates that, beside float32.
at::ScalarType scalar_type(const std::string& dtype, at::Device device) {
  return dtype == "bfloat16" || (dtype == "fp8" && device.is_cuda()) ? at::kBFloat16 : at::kFloat;
}

void refuse_missing_float8(const Job& job, at::Device device) {
  if (job.model.dtype != "fp8" || device.is_cpu() || kernels::capability(device) >= 89) return;
  throw ConfigError(job.file.string() +
                    ": model.dtype: fp8 needs a GPU of compute capability 8.9 or newer, which the " +
                    device::name(device) + " is not; use bfloat16");
}

/// What rank 0 found out and the others must know.
struct Setup {
  std::string family;
  int launch = 0;                    // of the run directory, for the logs
  std::uint64_t largest_result = 0;  // bytes
  std::string fingerprint;           // of the checkpoint
  bool pictures = true;              // what the model makes
  std::vector<int> cuts;             // of the stages, in half layers

  Makes makes() const { return pictures ? Makes::pictures : Makes::text; }
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Setup, family, launch, largest_result, fingerprint, pictures, cuts)

Bytes encode(const Setup& setup) { return to_bytes(nlohmann::json(setup).dump()); }
Setup decode(const Bytes& bytes) { return nlohmann::json::parse(as_text(bytes)).get<Setup>(); }

std::uint64_t largest_result(const Job& job, const Plan& plan) {
  std::uint64_t pixels = 0;
  for (const Item& item : plan.items) pixels = std::max(pixels, static_cast<std::uint64_t>(item.width) * item.height);
  const std::uint64_t bytes_a_pixel = 3 * (job.output.tensors ? 1 + sizeof(float) : 1);
  constexpr std::uint64_t kTextTensors = 32u << 20;
  if (plan.checkpoint.defaults.makes == Makes::text) {
    std::uint64_t tokens = 0;
    for (const Item& item : plan.items) tokens = std::max<std::uint64_t>(tokens, item.max_new_tokens);
    const std::uint64_t batch = plan.batch, bytes_a_token = sizeof(std::int64_t) + 8;  // its id and its letters
    return batch * (tokens * bytes_a_token + (job.output.tensors ? kTextTensors : 0)) + kSmallResult;
  }
  return static_cast<std::uint64_t>(plan.batch) * pixels * bytes_a_pixel + kSmallResult;
}

void print_dry_run(const Job& job, const Plan& plan) {
  std::printf("%s\n# %zu items · batch %d · family %s · run id %s\n", to_yaml(job).c_str(), plan.items.size(),
              plan.batch, plan.checkpoint.family.c_str(), plan.run_id.c_str());
}

SinkSettings sink_settings(const Job& job, const Setup& setup, const std::string& dtype) {
  const std::string model = job.model.path.empty() ? setup.family : job.model.path.filename().string();
  return {job.output.directory,
          job.output.png_metadata,
          {model, setup.fingerprint, dtype, std::string("trireme ") + TRIREME_VERSION}};
}

/// Where ranks write what they made; its threads are this rank's share of the host's cores.
std::unique_ptr<LocalOutput> local_output(const Job& job, const Setup& setup, const std::string& dtype,
                                          const Launch& launch) {
  if (!writes_local(job)) return nullptr;
  const int threads = std::clamp(launch.cpu_count / launch.local_size, 1, 4);
  return std::make_unique<LocalOutput>(sink_settings(job, setup, dtype), sink_names(job.output, setup.makes()),
                                       threads);
}

/// A shard works in a folder of its own.
Job read_job(const Arguments& arguments, const std::optional<InputShard>& shard) {
  Job job = load_job(arguments.job, arguments.overrides);
  if (shard) job.output.directory /= folder_name(*shard);
  return job;
}

/// When to stop by limits.stop_before_seconds, in steady_seconds(). Asks Slurm, so it comes before a GPU is opened.
std::optional<double> stop_time(const Job& job) {
  const double before = job.limits.stop_before_seconds;
  if (before <= 0) return std::nullopt;
  const auto left = slurm::seconds_left(environment(), std::time(nullptr));
  if (!left) {
    log::warning("limits.stop_before_seconds does nothing: this is no Slurm job, or it has no time limit");
    return std::nullopt;
  }
  if (*left <= before) {
    throw Error(ExitCode::stopped_early, "the time limit is " + std::to_string(static_cast<long>(*left)) +
                                             " s away, limits.stop_before_seconds is " +
                                             std::to_string(static_cast<long>(before)) + ": nothing was begun");
  }
  return steady_seconds() + *left - before;
}

/// Before any work, and before the run directory is touched: every rank has the same program, settings and input.
void refuse_a_mix(Transport& transport, const Job& job, const std::string& dtype) {
  require_equal(transport, "the program", TRIREME_VERSION + sha256_of_file("/proc/self/exe"));
  require_equal(transport, "the job (file, --set or variables)", to_yaml(job) + dtype);
  std::error_code ignored;
  const bool file = std::filesystem::is_regular_file(job.input.prompts, ignored);  // a pipe can be read once only
  require_equal(transport, "the prompts file", file ? sha256_of_file(job.input.prompts) : "");
}

/// From here on lines go to this rank's log, and the run directory knows how the rank ended.
void open_log(const Job& job, const Launch& launch, int run_launch, const RunDirectory* directory) {
  const RunPaths paths{job.output.directory};
  log::open(launch.rank, paths.rank_log(launch.rank).string(), log::Level::info, log::Level::warning);
  rank_log::begin(paths.rank_log(launch.rank), launch.rank, run_launch,
                  directory == nullptr ? nullptr : &directory->lock());
  log::info("rank starts", {{"size", launch.size}, {"host", launch.host}, {"local_rank", launch.local_rank}});
}

/// memory.overlap of a rank that holds the whole model. Not with layers that come from the host, which units share.
bool overlaps(const Job& job, at::Device device) {
  return job.parallel.stages == 1 && job.parallel.guidance == 1 && job.memory.offload != "layers" &&
         job.memory.overlap.value_or(device.is_cuda());
}

/// Of such a rank. Texts share the visits of layers as rows of one unit.
int units_at_once(const Job& job, at::Device device, Makes makes) {
  if (job.memory.offload == "none" || makes == Makes::text || overlaps(job, device)) return 1;
  return job.parallel.guidance > 1 ? 1 : kUnitsAVisit;
}

std::unique_ptr<Engine> make_engine(const Job& job, Makes makes, Model& model, Exchange& exchange, Transport* replica) {
  if (job.parallel.stages > 1) {
    return std::make_unique<PipelineEngine>(
        model, *replica, PipelineEngine::Settings{.exchange = &exchange, .micro_batches = job.parallel.micro_batches});
  }
  if (job.parallel.guidance > 1) {
    return std::make_unique<GuidancePairEngine>(model, *replica, GuidancePairEngine::Settings{.exchange = &exchange});
  }
  WholeModelEngine::Settings settings;
  settings.degrade = job.memory.on_oom == "degrade";
  if (makes == Makes::pictures && overlaps(job, model.device())) {
    return std::make_unique<SecondTryEngine>(std::make_unique<OverlappedEngine>(model), model, settings);
  }
  settings.units_at_once = static_cast<std::size_t>(units_at_once(job, model.device(), makes));
  return std::make_unique<WholeModelEngine>(model, settings);
}

/// In a pipeline as many units are under way at once as keep all stages busy, and one a stage that is decoded. Units
/// that enter together wait for each other, so that as many more are in hand.
Dispatcher::Settings dispatch_settings(const Job& job, at::Device device, Makes makes) {
  const int stages = job.parallel.stages;
  if (stages > 1) {
    return {job.dispatch.policy, job.dispatch.queue_depth, job.parallel.micro_batches.value_or(stages + 1) + stages};
  }
  const int at_once = units_at_once(job, device, makes);
  std::optional<int> depth = job.dispatch.queue_depth;
  if (!depth && at_once > 1) depth = 2 * at_once;
  return {job.dispatch.policy, depth, at_once};
}

/// Of rank 0's plan.
std::vector<Unit> units_to_warm_up(const Plan& plan) {
  if (plan.checkpoint.defaults.makes == Makes::text) return texts_to_warm_up(plan.items, plan.batch);
  return plan.items.empty() ? std::vector<Unit>() : std::vector<Unit>{{0, {plan.items.front()}, 1}};
}

/// From the first stage to all.
std::optional<std::string> share_note(Transport& replica, std::optional<std::string> mine) {
  constexpr char kThere = '+';
  Bytes bytes;
  if (mine) {
    mine->push_back(kThere);
    bytes = to_bytes(*mine);
  }
  bytes = replica.broadcast(std::move(bytes), 0);
  if (bytes.empty()) return std::nullopt;
  bytes.pop_back();
  return std::string(as_text(bytes));
}

/// Collective. `units`: rank 0's.
void warm_up_model(const Stage& stage, Makes makes, Model& model, const std::vector<Unit>& units, Transport& transport,
                   Transport* replica) {
  for (const Unit& unit : codec::decode_units(transport.broadcast(codec::encode_units(units), 0))) {
    if (makes == Makes::pictures) {
      warm_up(model, stage.first(), stage.last(), unit);
    } else {
      warm_up_texts(model, stage.first(), stage.last(), unit, [&](std::optional<std::string> mine) {
        return replica ? share_note(*replica, std::move(mine)) : mine;
      });
    }
  }
}

/// What loading took beside reading weights.
std::vector<std::pair<std::string, double>> steps_of(const LoadReport& report) {
  return {{"model files", report.files_seconds},
          {"copies on this host", report.cache_seconds},
          {"building the model", report.build_seconds},
          {"memory for weights", report.allocate_seconds}};
}

/// One rank of each node watches it; nothing on the others.
std::unique_ptr<NodeSampler> watch_node(const Job& job, const Launch& launch) {
  if (launch.local_rank != 0) return nullptr;
  const NodeReader::Settings settings{.host = launch.host, .disk = job.output.directory};
  const auto reader = std::make_shared<NodeReader>(settings);
  return std::make_unique<NodeSampler>([reader](bool counters) { return reader->sample(counters); },
                                       job.monitor.interval_seconds);
}

/// For rank 0; empty: nothing new of the node.
std::string line_of(const std::optional<NodeSample>& sample) { return sample ? to_line(*sample) : ""; }

RankReport rank_report(const Launch& launch, at::Device device, const LoopReport& loop, const Traffic& traffic) {
  RankReport report;
  report.rank = launch.rank;
  report.host = launch.host;
  report.device = device::name(device);
  report.gpu_uuid = device::uuid(device);
  report.loop_seconds = loop.seconds;
  report.busy_seconds = loop.busy_seconds;
  report.idle_seconds = loop.idle_seconds;
  report.longest_pass_seconds = loop.longest_pass_seconds;
  report.peak_memory_bytes = device::memory(device).peak_allocated;
  report.traffic = traffic;
  return report;
}

}  // namespace

ExitCode run_job(const Arguments& arguments, const Launch& launch, StartUp start_up) {
  const auto step_done = [&start_up](std::string_view step) { start_up.done(step, steady_seconds()); };
  const std::optional<InputShard> shard = choose_shard(arguments.shard);
  const Job job = read_job(arguments, shard);
  const std::optional<double> stop_at = launch.rank == 0 ? stop_time(job) : std::nullopt;
  const at::Device device = device::choose(launch.local_rank);
  refuse_missing_float8(job, device);
  device::configure(device, {job.parallel.threads, job.memory.fraction, job.memory.allocator.value_or("")});
  const c10::InferenceMode inference;  // no autograd bookkeeping
  // The ring of a pipeline, and the steps of a picture, go before what runs beside them.
  const device::StreamGuard stream(device, /*high_priority=*/job.parallel.stages > 1 || overlaps(job, device));
  const std::string dtype = dtype_name(job, device);
  step_done("device");

  // Rank 0 checks everything that needs no model.
  Plan plan;
  std::unique_ptr<RunDirectory> directory;
  if (launch.rank == 0) plan = make_plan(job, dtype, device::name(device), shard);
  if (arguments.dry_run) {
    if (launch.rank == 0) print_dry_run(job, plan);
    log_warnings(plan);
    return ExitCode::ok;
  }
  const Layout layout = make_layout(launch.size, job.parallel.stages, job.parallel.guidance);
  PipelinePlan pipeline;
  if (launch.rank == 0) pipeline = plan_pipeline(job, plan, dtype, device::name(device), layout);

  step_done("plan");
  Watchdog watchdog(job.limits.stall_timeout_seconds, [&launch](const std::string& cause, Busy busy) {
    // So that a resume knows whose unit to suspect.
    if (busy == Busy::computing) rank_log::end(rank_log::Ending::died);
    die(launch, ExitCode::stopped_early, cause);
  });
  watchdog.set_stage("connecting the ranks");
  const auto transport = make_transport(job.parallel.transport.value_or("auto"), launch, device);
  refuse_a_mix(*transport, job, dtype);
  if (launch.rank == 0) directory = open_run_directory(job, plan, layout, arguments.fresh, device::name(device));
  const auto replica = make_replica_transport(*transport, layout, device);
  Setup setup;
  if (directory) {
    const Checkpoint& checkpoint = plan.checkpoint;
    setup = {checkpoint.family,
             directory->launch(),
             largest_result(job, plan),
             checkpoint.fingerprint,
             checkpoint.defaults.makes == Makes::pictures,
             pipeline.cuts};
  }
  setup = decode(transport->broadcast(encode(setup), 0));
  open_log(job, launch, setup.launch, directory.get());
  log_warnings(plan);
  if (const auto advice = binding_advice(launch, job.parallel.threads)) log::warning(*advice);
  const std::unique_ptr<NodeSampler> node = watch_node(job, launch);
  watchdog.beat();

  step_done("connecting");
  watchdog.set_stage("loading the model");
  const Stage stage{layout.place_of(launch.rank) / layout.guidance, layout.stages, setup.cuts};
  const LoadedModel loaded =
      load_model({setup.family, setup.fingerprint, launch.local_rank, launch.local_size},
                 {job, device, scalar_type(dtype, device), stage}, *transport, [&watchdog] { watchdog.beat(); });
  start_up.done("weights", steady_seconds(), steps_of(loaded.report));
  watchdog.set_stage("warming up");
  transport->warm_up(writes_local(job) ? kSmallResult : setup.largest_result, Pattern::star);
  if (replica) replica->warm_up(kReplicaWarmUpBytes, Pattern::all_pairs);
  if (!device.is_cpu()) {  // nothing is colder the first time there
    const std::vector<Unit> first_units = directory ? units_to_warm_up(plan) : std::vector<Unit>();
    warm_up_model(stage, setup.makes(), *loaded.model, first_units, *transport, replica.get());
  }
  if (layout.stages > 1) device::reserve_upload_buffers(device);
  device::reserve_host_buffers(setup.largest_result, reserved_results(job, launch, setup.largest_result), device);
  step_done("warm-up");
  log::info("ready", {{"load_seconds", loaded.report.seconds},
                      {"weights_bytes", loaded.report.bytes_kept},
                      {"carrier", transport->carrier()},
                      {"carrier_bytes", transport->carrier_memory()}});

  Exchange exchange(*transport, {.layout = layout, .replica = replica.get(), .places = layout.ranks_per_replica() > 1});
  const std::unique_ptr<Engine> engine = make_engine(job, setup.makes(), *loaded.model, exchange, replica.get());
  const std::vector<std::string_view> sinks = sink_names(job.output, setup.makes());
  const std::unique_ptr<LocalOutput> output = local_output(job, setup, dtype, launch);
  LoopParts parts{*transport, exchange, *engine,      nullptr,
                  watchdog,   {},       output.get(), [&node] { return line_of(node ? node->take() : std::nullopt); }};
  const LoopSettings loop_settings{job.monitor.interval_seconds, job.limits.stall_timeout_seconds, stop_at};
  transport->barrier();  // so that the ranks' clocks of spans begin together
  step_done("other ranks");
  log::info(start_up.to_line());
  if (node) node->read_counters();
  const double clock = steady_seconds();
  const auto report_of_all = [&](const LoopReport& loop) {
    Traffic traffic = transport->traffic();
    if (replica) traffic += replica->traffic();
    RankReport mine = rank_report(launch, device, loop, traffic);
    mine.phases = engine->seconds();
    mine.spans = engine->spans();
    for (Span& span : mine.spans) span.begin -= clock;
    mine.load_seconds = loaded.report.seconds;
    mine.node = line_of(node ? node->finish() : std::nullopt);
    return gather_rank_reports(*transport, mine);
  };
  if (launch.rank != 0) {
    exchange.scatter_first({});
    const LoopReport report = run_loop(parts, loop_settings);
    report_of_all(report);
    rank_log::end(rank_log::Ending::finished);
    return report.code;
  }

  Coordinator::Work work = remaining_work(plan, *directory);
  const ModelShape shape = read_model_shape(plan.checkpoint.family, job.model.path, dtype);
  Dispatcher dispatcher(dispatch_settings(job, device, setup.makes()),
                        work_of(work.units, shape, nominal_rates(device::name(device))), layout.replicas());
  Writers writers(sink_settings(job, setup, dtype), output ? std::vector<std::string_view>() : sinks);
  Coordinator coordinator({exchange, dispatcher, directory->journal(), writers}, std::move(work));
  Monitor monitor({job, launch, layout, plan, pipeline, *directory, *transport, exchange, coordinator, start_up},
                  choose_progress(arguments.progress, isatty(STDERR_FILENO) == 1, launch.launcher != "none"));
  exchange.scatter_first(coordinator.first_shares());
  parts.coordinator = &coordinator;
  parts.monitor = [&monitor](double seconds) { monitor.update(seconds); };
  const LoopReport report = run_loop(parts, loop_settings);
  const std::vector<RankReport> reports = report_of_all(report);
  monitor.finish(report.code, reports);
  if (arguments.trace) {
    write_timeline(job.output.directory, {layout, reports, coordinator.result_spans(), directory->launch(), clock});
  }
  directory->journal().finish(report.code);
  rank_log::end(rank_log::Ending::finished);
  return report.code;
}

}  // namespace trireme
