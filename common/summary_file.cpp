#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "common/files.h"
#include "common/summary.h"

namespace trireme {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kMaxBytes = 256u << 20;

Json json_of(const Spread& spread) { return {{"min", spread.min}, {"average", spread.average}, {"max", spread.max}}; }

Json traffic_of(std::uint64_t messages, std::uint64_t bytes) { return {{"messages", messages}, {"bytes", bytes}}; }

Json json_of(const RankSummary& rank, const std::string& carrier) {
  Json json;
  json["rank"] = rank.rank;
  json["host"] = rank.host;
  json["device"] = rank.device;
  if (!rank.gpu_uuid.empty()) json["gpu_uuid"] = rank.gpu_uuid;
  json["items"] = rank.items;
  if (rank.tokens > 0) json["tokens"] = rank.tokens;
  for (std::size_t i = 0; i < kRankPhases.size(); ++i) json["seconds"][kRankPhases[i]] = rank.seconds[i];
  json["busy_seconds"] = rank.busy_seconds;
  json["idle_seconds"] = rank.idle_seconds;
  json["longest_pass_seconds"] = rank.longest_pass_seconds;
  json["peak_memory_bytes"] = rank.peak_memory_bytes;
  json["sent"]["control"] = traffic_of(rank.control_messages, rank.control_bytes);
  json["sent"][carrier] = traffic_of(rank.carrier_transfers, rank.carrier_bytes);
  return json;
}

Json json_of(const RingLoss& loss) {
  return {{"fill", loss.fill}, {"imbalance", loss.imbalance}, {"transfer", loss.transfer}};
}

RingLoss loss_of(const Json& json) {
  return {json.value("fill", 0.0), json.value("imbalance", 0.0), json.value("transfer", 0.0)};
}

/// What a program of another version left out is 0 or empty.
RankSummary rank_of(const Json& json, const std::string& carrier) {
  RankSummary rank;
  rank.rank = json.value("rank", 0);
  rank.host = json.value("host", "");
  rank.device = json.value("device", "");
  rank.gpu_uuid = json.value("gpu_uuid", "");
  rank.items = json.value("items", std::uint64_t{0});
  rank.tokens = json.value("tokens", std::uint64_t{0});
  const Json none = Json::object();
  const Json seconds = json.value("seconds", none);
  for (std::size_t i = 0; i < kRankPhases.size(); ++i) rank.seconds[i] = seconds.value(kRankPhases[i], 0.0);
  rank.busy_seconds = json.value("busy_seconds", 0.0);
  rank.idle_seconds = json.value("idle_seconds", 0.0);
  rank.longest_pass_seconds = json.value("longest_pass_seconds", 0.0);
  rank.peak_memory_bytes = json.value("peak_memory_bytes", std::uint64_t{0});
  const Json sent = json.value("sent", none), control = sent.value("control", none), data = sent.value(carrier, none);
  rank.control_messages = control.value("messages", std::uint64_t{0});
  rank.control_bytes = control.value("bytes", std::uint64_t{0});
  rank.carrier_transfers = data.value("messages", std::uint64_t{0});
  rank.carrier_bytes = data.value("bytes", std::uint64_t{0});
  return rank;
}

Summary summary_of(const Json& json) {
  const Json none = Json::object();
  Summary summary;
  summary.run_id = json.value("run_id", "");
  summary.launch = json.value("launch", 1);
  summary.exit_code = json.value("exit_code", 0);
  summary.policy = json.value("policy", "");
  summary.carrier = json.value("carrier", "");
  summary.facts = json.value("facts", std::map<std::string, std::string>());
  const Json items = json.value("items", none);
  summary.total = items.value("total", std::uint64_t{0});
  summary.done = items.value("done", std::uint64_t{0});
  summary.failed = items.value("failed", std::uint64_t{0});
  summary.degraded = items.value("degraded", std::uint64_t{0});
  summary.seconds = json.value("seconds", 0.0);
  summary.work_seconds = json.value("work_seconds", 0.0);
  summary.latency_seconds = json.value("latency_seconds", 0.0);
  const Json start_up = json.value("start_up", none);
  for (const auto& [step, seconds] : start_up.items()) {
    summary.start_up.emplace_back(step, seconds.get<double>());
  }
  summary.text = json.contains("tokens_per_second");
  summary.lower_bound_seconds = json.value("lower_bound_seconds", 0.0);
  if (json.contains("energy")) {
    summary.energy_joules = json.at("energy").at("joules").get<double>();
    summary.energy_gpus = json.at("energy").value("gpus", 0);
  }
  if (json.contains("pipeline")) {
    const Json& pipeline = json.at("pipeline");
    summary.pipeline = {pipeline.value("stages", 1),
                        pipeline.value("layers", ""),
                        loss_of(pipeline.value("predicted", none)),
                        loss_of(pipeline.value("measured", none)),
                        pipeline.value("seconds", 0.0),
                        pipeline.value("predicted_seconds", 0.0)};
  }
  for (const Json& rank : json.at("ranks")) summary.ranks.push_back(rank_of(rank, summary.carrier));
  if (summary.ranks.empty()) throw Json::other_error::create(501, "ranks: none", &json);
  summary.replicas = json.value("replicas", static_cast<int>(summary.ranks.size()));
  return summary;
}

}  // namespace

std::string to_text(const Summary& summary) {
  Json json;
  json["run_id"] = summary.run_id;
  json["launch"] = summary.launch;
  json["exit_code"] = summary.exit_code;
  json["items"] = {{"total", summary.total},
                   {"done", summary.done},
                   {"failed", summary.failed},
                   {"degraded", summary.degraded},
                   {"made_by_this_job", summary.made()}};
  json["seconds"] = summary.seconds;
  json["items_per_second"] = summary.items_per_second();
  if (summary.text) {
    json["tokens"] = summary.tokens();
    json["tokens_per_second"] = summary.tokens_per_second();
  }
  json["work_seconds"] = summary.work_seconds;
  json["latency_seconds"] = summary.latency_seconds;
  for (const auto& [step, seconds] : summary.start_up) json["start_up"][step] = seconds;
  json["balance"] = summary.balance();
  json["replicas"] = summary.replicas;
  if (summary.lower_bound_seconds > 0) {
    json["lower_bound_seconds"] = summary.lower_bound_seconds;
    json["over_lower_bound"] = summary.over_lower_bound();
  }
  if (summary.energy_joules) {
    json["energy"] = {{"gpus", summary.energy_gpus},
                      {"joules", *summary.energy_joules},
                      {"joules_per_item", summary.joules_per_item()}};
  }
  json["policy"] = summary.policy;
  json["carrier"] = summary.carrier;
  json["facts"] = summary.facts;
  for (std::size_t i = 0; i < kRankPhases.size(); ++i) {
    json["phases"][kRankPhases[i]] = json_of(spread_of(summary, static_cast<RankPhase>(i)));
  }
  if (const auto& pipeline = summary.pipeline) {
    json["pipeline"] = {{"stages", pipeline->stages},
                        {"layers", pipeline->layers},
                        {"seconds", pipeline->seconds},
                        {"predicted_seconds", pipeline->predicted_seconds},
                        {"measured", json_of(pipeline->measured)},
                        {"predicted", json_of(pipeline->predicted)}};
  }
  json["ranks"] = Json::array();
  for (const RankSummary& rank : summary.ranks) json["ranks"].push_back(json_of(rank, summary.carrier));
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

void write_summary(const std::filesystem::path& file, const Summary& summary) { write_file(file, to_text(summary)); }

Summary read_summary(const std::filesystem::path& file) {
  const std::string text = read_file(file, kMaxBytes);
  try {
    return summary_of(Json::parse(text));
  } catch (const nlohmann::json::exception& e) {
    throw Error(ExitCode::bad_data, file.string() + ": not the summary of a job: " + e.what());
  }
}

}  // namespace trireme
