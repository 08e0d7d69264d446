#include "common/monitor_history.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "common/errors.h"

namespace trireme {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kMaxReadBytes = 256u << 20;
constexpr const char* kAlertBegins = R"({"alert":)";

std::string line_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

Descriptor open_for_appending(const std::filesystem::path& file) {
  Descriptor descriptor(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (descriptor.get() < 0) {
    throw Error(ExitCode::cannot_create,
                "can't write " + file.string() + ": " + errno_text(errno) + "; check its permissions");
  }
  return descriptor;
}

bool ends_in_newline(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  in.seekg(-1, std::ios::end);
  return in.get() == '\n';
}

bool is_alert(std::string_view line) { return line.starts_with(kAlertBegins); }

}  // namespace

MonitorHistory::MonitorHistory(std::filesystem::path file, int launch, std::uint64_t max_bytes)
    : file_(std::move(file)), launch_(launch), max_bytes_(max_bytes), descriptor_(open_for_appending(file_)) {
  std::error_code unknown;
  bytes_ = std::filesystem::file_size(file_, unknown);
  if (bytes_ > 0 && !ends_in_newline(file_)) write("\n");
}

void MonitorHistory::add(double seconds, double unix_seconds, const std::vector<NodeSample>& nodes, bool last) {
  if (offered_++ % stride_ != 0 && !last) return;
  Json json;
  json["launch"] = launch_;
  json["seconds"] = seconds;
  json["unix_seconds"] = unix_seconds;
  json["nodes"] = Json::array();
  for (const NodeSample& node : nodes) {
    if (std::find(before_.begin(), before_.end(), node) == before_.end()) json["nodes"].push_back(node);
  }
  before_ = nodes;
  if (!json["nodes"].empty()) write(line_of(json));
}

void MonitorHistory::add(double seconds, const Alert& alert) {
  write(line_of({{"alert", alert}, {"launch", launch_}, {"seconds", seconds}}));
}

void MonitorHistory::write(const std::string& line) {
  if (bytes_ + line.size() > max_bytes_) thin();
  write_all(descriptor_, line, file_);
  bytes_ += line.size();
}

void MonitorHistory::thin() {
  const std::string text = read_file(file_, kMaxReadBytes);
  std::string kept;
  bool keep = false;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size() - 1) + 1;
    const std::string_view line = std::string_view(text).substr(start, end - start);
    if (!is_alert(line)) keep = !keep;
    if (keep || is_alert(line)) kept += line;
    start = end;
  }
  write_file(file_, kept, Durability::renamed);
  descriptor_ = open_for_appending(file_);
  bytes_ = kept.size();
  stride_ *= 2;
}

HistoryFile read_history(const std::filesystem::path& file) {
  const std::string text = read_file(file, kMaxReadBytes);
  HistoryFile history;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view line = std::string_view(text).substr(start, end - start);
    start = end + 1;
    if (line.empty()) continue;
    try {
      const Json json = Json::parse(line);
      const int launch = json.at("launch").get<int>();
      const double seconds = json.at("seconds").get<double>();
      if (json.contains("alert")) {
        history.alerts.push_back({launch, seconds, json.at("alert").get<Alert>()});
        continue;
      }
      const double start_of_loop = json.at("unix_seconds").get<double>() - seconds;
      for (const Json& node : json.at("nodes")) {
        HistorySample sample{launch, seconds, node.get<NodeSample>()};
        if (sample.node.unix_seconds) sample.seconds = *sample.node.unix_seconds - start_of_loop;
        history.samples.push_back(std::move(sample));
      }
    } catch (const nlohmann::json::exception&) {
      ++history.damaged;
    }
  }
  return history;
}

}  // namespace trireme
