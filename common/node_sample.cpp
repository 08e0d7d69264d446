#include "common/node_sample.h"

#include <nlohmann/json.hpp>

#include "common/errors.h"

namespace trireme {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
void put(Json& json, const char* name, const std::optional<T>& value) {
  if (value) json[name] = *value;
}

template <class T>
void get(const Json& json, const char* name, std::optional<T>& value) {
  if (json.contains(name)) value = json.at(name).get<T>();
}

/// Calls `field(name, value)` for everything that may be missing.
template <class Gpu, class Field>
void optional_fields(Gpu& gpu, Field field) {
  field("utilization_percent", gpu.utilization_percent);
  field("memory_used_bytes", gpu.memory_used_bytes);
  field("memory_total_bytes", gpu.memory_total_bytes);
  field("temperature_c", gpu.temperature_c);
  field("power_watts", gpu.power_watts);
  field("energy_joules", gpu.energy_joules);
  field("sm_mhz", gpu.sm_mhz);
  field("ecc_corrected", gpu.ecc_corrected);
  field("ecc_uncorrected", gpu.ecc_uncorrected);
}

template <class Node, class Field>
void optional_fields_of_node(Node& node, Field field) {
  field("unix_seconds", node.unix_seconds);
  field("cpu_percent", node.cpu_percent);
  field("ram_used_bytes", node.ram_used_bytes);
  field("ram_total_bytes", node.ram_total_bytes);
  field("disk_free_bytes", node.disk_free_bytes);
  field("disk_total_bytes", node.disk_total_bytes);
}

Json gpu_to_json(const GpuSample& gpu) {
  Json json;
  json["index"] = gpu.index;
  json["uuid"] = gpu.uuid;
  json["name"] = gpu.name;
  optional_fields(gpu, [&](const char* name, const auto& value) { put(json, name, value); });
  json["throttled"] = gpu.throttled;
  if (!gpu.age_seconds.empty()) json["age_seconds"] = gpu.age_seconds;
  return json;
}

GpuSample gpu_from_json(const Json& json) {
  GpuSample gpu;
  json.at("index").get_to(gpu.index);
  json.at("uuid").get_to(gpu.uuid);
  json.at("name").get_to(gpu.name);
  optional_fields(gpu, [&](const char* name, auto& value) { get(json, name, value); });
  json.at("throttled").get_to(gpu.throttled);
  if (json.contains("age_seconds")) json.at("age_seconds").get_to(gpu.age_seconds);
  return gpu;
}

}  // namespace

double GpuSample::age_of(const std::string& question) const {
  const auto age = age_seconds.find(question);
  return age == age_seconds.end() ? 0 : age->second;
}

void to_json(Json& json, const NodeSample& sample) {
  json = Json::object();
  json["host"] = sample.host;
  optional_fields_of_node(sample, [&](const char* name, const auto& value) { put(json, name, value); });
  json["gpus"] = Json::array();
  for (const GpuSample& gpu : sample.gpus) json["gpus"].push_back(gpu_to_json(gpu));
}

void from_json(const Json& json, NodeSample& sample) {
  sample = {};
  json.at("host").get_to(sample.host);
  optional_fields_of_node(sample, [&](const char* name, auto& value) { get(json, name, value); });
  for (const Json& gpu : json.at("gpus")) sample.gpus.push_back(gpu_from_json(gpu));
}

std::string to_line(const NodeSample& sample) {
  return Json(sample).dump(-1, ' ', false, Json::error_handler_t::replace);  // names come from a driver
}

NodeSample node_sample(std::string_view line) {
  try {
    return Json::parse(line).get<NodeSample>();
  } catch (const nlohmann::json::exception& e) {
    throw Error(ExitCode::internal, std::string("sample of a node: ") + e.what());
  }
}

}  // namespace trireme
