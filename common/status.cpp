#include "common/status.h"

#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "common/files.h"
#include "common/utc.h"

namespace trireme {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kMaxBytes = 64u << 20;

/// null: not known.
template <class Number>
void get_known(const Json& json, const char* name, Number& into) {
  if (!json.at(name).is_null()) json.at(name).get_to(into);
}

Status from_json(const Json& json) {
  Status status;
  json.at("state").get_to(status.state);
  status.exit_code = json.value("exit_code", 0);
  json.at("updated").get_to(status.updated);
  json.at("run_id").get_to(status.run_id);
  json.at("launch").get_to(status.launch);
  json.at("host").get_to(status.host);
  json.at("pid").get_to(status.pid);
  json.at("world").get_to(status.world);
  json.at("total").get_to(status.total);
  json.at("done").get_to(status.done);
  json.at("failed").get_to(status.failed);
  json.at("seconds").get_to(status.seconds);
  json.at("items_per_second").get_to(status.items_per_second);
  status.tokens = json.value("tokens", std::uint64_t{0});
  status.tokens_per_second = json.value("tokens_per_second", 0.0);
  get_known(json, "seconds_left", status.seconds_left);
  get_known(json, "slowest_replica", status.slowest_replica);
  for (const Json& row : json.at("replicas")) {
    status.replicas.push_back({row.at("in_hand").get<int>(), row.at("done").get<std::uint64_t>(),
                               row.at("busy_seconds").get<double>(), row.at("slow").get<bool>()});
  }
  json.at("nodes").get_to(status.nodes);
  json.at("alerts").get_to(status.alerts);
  return status;
}

}  // namespace

void to_json(Json& json, const Alert& alert) {
  json = Json::object();
  json["kind"] = alert.kind;
  if (!alert.host.empty()) json["host"] = alert.host;
  if (alert.device >= 0) json["device"] = alert.device;
  json["text"] = alert.text;
}

void from_json(const Json& json, Alert& alert) {
  alert = {json.at("kind").get<std::string>(), json.value("host", ""), json.value("device", -1),
           json.at("text").get<std::string>()};
}

Status read_status(const std::filesystem::path& file) {
  const std::string text = read_file(file, kMaxBytes);
  try {
    return from_json(Json::parse(text));
  } catch (const nlohmann::json::exception& e) {
    throw Error(ExitCode::bad_data, file.string() + ": not the status of a job of this version: " + e.what());
  }
}

void write_status(const std::filesystem::path& file, const Status& status) {
  nlohmann::ordered_json json;
  json["state"] = status.state;
  if (status.state == "ended") json["exit_code"] = status.exit_code;
  json["updated"] = utc_now();
  json["run_id"] = status.run_id;
  json["launch"] = status.launch;
  json["host"] = status.host;
  json["pid"] = status.pid;
  json["world"] = status.world;
  json["total"] = status.total;
  json["done"] = status.done;
  json["failed"] = status.failed;
  json["seconds"] = status.seconds;
  json["items_per_second"] = status.items_per_second;
  if (status.tokens > 0) {
    json["tokens"] = status.tokens;
    json["tokens_per_second"] = status.tokens_per_second;
  }
  json["seconds_left"] =
      status.seconds_left < 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(status.seconds_left);
  json["slowest_replica"] =
      status.slowest_replica < 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(status.slowest_replica);
  json["replicas"] = nlohmann::ordered_json::array();
  for (const ReplicaStatus& replica : status.replicas) {
    nlohmann::ordered_json row;
    row["in_hand"] = replica.in_hand;
    row["done"] = replica.done;
    row["busy_seconds"] = replica.busy_seconds;
    row["slow"] = replica.slow;
    json["replicas"].push_back(row);
  }
  json["nodes"] = status.nodes;
  json["alerts"] = status.alerts;
  write_file(file, json.dump(1) + "\n", Durability::renamed);
}

}  // namespace trireme
