#include "common/status.h"

#include <nlohmann/json.hpp>

#include "common/files.h"
#include "common/utc.h"

namespace trireme {

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
  json["slowest_rank"] =
      status.slowest_rank < 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(status.slowest_rank);
  write_file(file, json.dump(1) + "\n", Durability::renamed);
}

}  // namespace trireme
