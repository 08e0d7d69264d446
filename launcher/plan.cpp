#include "launcher/plan.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/batches.h"
#include "common/checkpoint.h"
#include "common/errors.h"
#include "common/offload_cost.h"
#include "common/print.h"
#include "common/prompts.h"
#include "common/stage_split.h"

namespace trireme {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;

bool is_gpu(const std::string& device) { return device != "cpu"; }

/// What bounds the passes that recur, in words: bytes or operations.
std::string bound(const PlanResult& plan) {
  const StrategyInput& in = plan.input;
  if (!in.shape.language || in.items.empty()) return "";
  const ItemCost cost = cost_of(in.shape, in.items.front(), guess_lengths(in.items.front()));
  const ItemCost::Pass& token = cost.passes.at(1);
  const Cost step = token.total();
  const double operations = in.batch * step.flops / in.rates.flops_per_second,
               bytes = step.bytes / in.rates.bytes_per_second;
  return print(
      "# a decoding step of %d rows reads %.2f GB: at least %.3f ms by bytes, %.3f ms by operations: bound by %s\n",
      in.batch, step.bytes / 1e9, bytes * 1e3, operations * 1e3, bytes >= operations ? "weights" : "products");
}

/// What the layers that stay on the host cost.
std::string visits(const PlanResult& plan) {
  const StrategyInput& in = plan.input;
  const OffloadCost cost = offload_cost(in.shape, in.offload);
  const double rate = in.limits.host_bytes_per_second;
  if (cost.layer_bytes == 0 || rate <= 0) return "";
  const double bytes = layers_of(in.shape) * cost.layer_bytes + cost.refiner_bytes;
  if (in.shape.language) {
    return print(
        "# memory.offload: %.2f GB of layers come from the host for every token of a unit: at least %.0f ms; "
        "this is slow, so use as large a dispatch.batch as fits\n",
        bytes / 1e9, bytes / rate * 1e3);
  }
  return print(
      "# memory.offload: %.2f GB of layers come from the host in a pass: at least %.0f ms, shared by up to %d "
      "pictures\n",
      bytes / 1e9, bytes / rate * 1e3, kUnitsAVisit);
}

std::string why(const PlanResult& plan, const Strategy& best) {
  const Strategy& plain = plan.all.front();  // one stage
  if (best.stages == 1) return "no stage waits for another, and the model fits on one rank";
  if (!plain.fits) {
    return print("the model needs %.2f GiB on one rank, %.2f GiB are there (memory.fraction %.2f)",
                 plain.largest_memory() / kGiB, plan.input.limits.memory_bytes * plan.input.memory_fraction / kGiB,
                 plan.input.memory_fraction);
  }
  return print("%.1f %% faster than one stage: too few units for %d replicas",
               100 * (best.items_per_second / plain.items_per_second - 1), plain.replicas);
}

}  // namespace

PlanResult make_plan(const PlanOptions& options) {
  const Job job = load_job(options.job, options.overrides);
  const Checkpoint checkpoint = inspect(job);
  PlanResult plan;
  const std::filesystem::path run = options.measured.value_or(job.output.directory);
  const auto known = measured_device(run);
  plan.device = !options.device.empty() ? options.device : known.value_or("NVIDIA H100");
  const std::string dtype = job.model.dtype.value_or(is_gpu(plan.device) ? "bfloat16" : "float32");
  StrategyInput& in = plan.input;
  in.items = read_items(job, checkpoint.defaults);
  if (in.items.empty()) throw ConfigError(job.input.prompts.string() + ": no prompts, so there is nothing to plan");
  in.shape = read_model_shape(checkpoint.family, job.model.path, dtype);
  in.batch = choose_batches(job, checkpoint.defaults, plan.device, in.items).most;
  in.ranks = options.ranks;
  in.micro_batches = job.parallel.micro_batches;
  in.memory_fraction = job.memory.fraction;
  in.offload = job.memory.offload;
  in.rates = nominal_rates(plan.device);
  in.limits = nominal_limits(plan.device);
  if (options.memory_gib > 0) in.limits.memory_bytes = options.memory_gib * kGiB;
  in.scale = usual_scale(in.shape, plan.device, in.batch);
  const UnitCost nominal = unit_cost(in.shape, in.items, in.batch, in.rates);
  if (known && *known == plan.device) {
    if (const auto measured = measured_rates(run, nominal, in.batch, in.scale)) {
      in.scale = measured->scale;
      plan.measured = true;
    }
  }
  plan.all = strategies(in);
  return plan;
}

std::string to_text(const PlanResult& plan) {
  const StrategyInput& in = plan.input;
  const bool text = in.shape.language.has_value();
  std::string out = print("# %zu items in units of %d on %d ranks, %s, %s\n", in.items.size(), in.batch, in.ranks,
                          plan.device.c_str(),
                          plan.measured ? "seconds of phases as an earlier run measured them" : "from sizes alone");
  out += bound(plan);
  out += visits(plan);
  out += print("# %8s %6s %10s %9s %10s %7s %10s %9s %11s %5s  %s\n", "replicas", "stages", "GiB/rank",
               text ? "tokens/s" : "images/s", "seconds", "fill %", "imbalance %", "transfer %", "efficiency", "fits",
               "layers of each stage");
  for (const Strategy& one : plan.all) {
    out += print("  %8d %6d %10.2f %9.3f %10.3f %7.2f %10.2f %9.2f %11.3f %5s  %s\n", one.replicas, one.stages,
                 one.largest_memory() / kGiB, text ? one.tokens_per_second : one.items_per_second, one.seconds,
                 100 * one.ring.loss.fill, 100 * one.ring.loss.imbalance, 100 * one.ring.loss.transfer, one.efficiency,
                 one.fits ? "yes" : "no", split_text(one.cuts).c_str());
  }
  const Strategy* best = best_of(plan.all);
  if (best == nullptr) {
    return out + print("# none fits: the smallest share needs %.2f GiB, %.2f GiB are there; use more ranks\n",
                       plan.all.back().largest_memory() / kGiB, in.limits.memory_bytes * in.memory_fraction / kGiB);
  }
  return out + print("# choose parallel.stages: %d (%d replicas): %s\n", best->stages, best->replicas,
                     why(plan, *best).c_str());
}

std::string to_json(const PlanResult& plan) {
  nlohmann::ordered_json json{
      {"device", plan.device},     {"measured", plan.measured}, {"items", plan.input.items.size()},
      {"batch", plan.input.batch}, {"bound", bound(plan)},      {"strategies", nlohmann::ordered_json::array()}};
  for (const Strategy& one : plan.all) {
    nlohmann::ordered_json memory = nlohmann::ordered_json::array();
    for (const StageMemory& stage : one.memory)
      memory.push_back({{"weights", stage.weights}, {"working", stage.working}});
    json["strategies"].push_back({{"replicas", one.replicas},
                                  {"stages", one.stages},
                                  {"layers", split_text(one.cuts)},
                                  {"fits", one.fits},
                                  {"memory_bytes", memory},
                                  {"seconds", one.seconds},
                                  {"items_per_second", one.items_per_second},
                                  {"tokens_per_second", one.tokens_per_second},
                                  {"efficiency", one.efficiency},
                                  {"transfer_seconds_a_slot", one.transfer_seconds},
                                  {"fill", one.ring.loss.fill},
                                  {"imbalance", one.ring.loss.imbalance},
                                  {"transfer", one.ring.loss.transfer}});
  }
  const Strategy* best = best_of(plan.all);
  json["best_stages"] = best == nullptr ? nlohmann::ordered_json() : nlohmann::ordered_json(best->stages);
  return json.dump(1) + "\n";
}

void add_plan(CLI::App& app) {
  CLI::App* command = app.add_subcommand("plan", "what each way to spread a job over N ranks will take; needs no GPU");
  const auto options = std::make_shared<PlanOptions>();
  command->add_option("job", options->job, "job file")->required();
  command->add_option("-n,--ranks", options->ranks, "ranks")->required()->check(CLI::Range(1, 4096));
  command->add_option("--device", options->device,
                      "what a rank has: H200, H100, A100, A10, RTX 4090 or cpu (default: the measured run's)");
  command->add_option("--memory-gib", options->memory_gib, "memory of a rank")->check(CLI::PositiveNumber);
  command->add_option("--measured", options->measured, "run directory of the same job (default: output.directory)");
  command->add_option("--set", options->overrides, "a.b=c: override a key of the job file")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_flag("--json", options->json, "the same numbers as JSON");
  command->callback([options] {
    const PlanResult plan = make_plan(*options);
    std::fputs((options->json ? to_json(plan) : to_text(plan)).c_str(), stdout);
  });
}

}  // namespace trireme
