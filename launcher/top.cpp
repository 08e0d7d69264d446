#include "launcher/top.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>

#include "common/print.h"
#include "common/run_directory.h"

namespace trireme {
namespace {

constexpr std::chrono::seconds kRedraw{1};
constexpr const char* kHomeAndClear = "\x1b[H\x1b[J";

/// "-" when not known.
template <class Number>
std::string shown(const std::optional<Number>& value, double unit = 1, int digits = 0) {
  return value ? print("%.*f", digits, static_cast<double>(*value) / unit) : "-";
}

constexpr double kGib = 1u << 30;

std::string head(const Status& status) {
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::string text = print("%s · run %.8s · launch %d · updated %s\n", status.state.c_str(), status.run_id.c_str(),
                           status.launch, status.updated.c_str());
  text += print("%llu/%llu done · %llu failed · %.3f items/s", number(status.done), number(status.total),
                number(status.failed), status.items_per_second);
  if (status.tokens > 0) text += print(" · %.1f tokens/s", status.tokens_per_second);
  if (status.seconds_left >= 0) text += print(" · %.0f s left", status.seconds_left);
  return text + "\n";
}

std::string replicas(const Status& status) {
  std::string text = print("\n%-8s %8s %8s %10s\n", "replica", "in hand", "done", "s/item");
  for (std::size_t replica = 0; replica < status.replicas.size(); ++replica) {
    const ReplicaStatus& of = status.replicas[replica];
    const std::string mean = of.done == 0 ? "-" : print("%.3f", of.busy_seconds / static_cast<double>(of.done));
    text += print("%-8zu %8d %8llu %10s%s\n", replica, of.in_hand, static_cast<unsigned long long>(of.done),
                  mean.c_str(), of.slow ? "  slow" : "");
  }
  return text;
}

std::string gpus(const NodeSample& node) {
  std::string text = print("%-8s %6s %14s %6s %8s %8s\n", "gpu", "use %", "memory GiB", "C", "W", "MHz");
  for (const GpuSample& gpu : node.gpus) {
    std::string reasons;
    for (const std::string& reason : gpu.throttled) reasons += "  " + reason;
    const std::string memory = shown(gpu.memory_used_bytes, kGib, 1) + "/" + shown(gpu.memory_total_bytes, kGib, 1);
    text += print("%-8d %6s %14s %6s %8s %8s%s\n", gpu.index, shown(gpu.utilization_percent).c_str(), memory.c_str(),
                  shown(gpu.temperature_c).c_str(), shown(gpu.power_watts).c_str(), shown(gpu.sm_mhz).c_str(),
                  reasons.c_str());
  }
  return text;
}

std::string nodes(const Status& status) {
  std::string text;
  for (const NodeSample& node : status.nodes) {
    text += print("\n%s: CPU %s %% · RAM %s/%s GiB · disk %s GiB left\n", node.host.c_str(),
                  shown(node.cpu_percent).c_str(), shown(node.ram_used_bytes, kGib, 1).c_str(),
                  shown(node.ram_total_bytes, kGib, 1).c_str(), shown(node.disk_free_bytes, kGib, 1).c_str());
    if (!node.gpus.empty()) text += gpus(node);
  }
  return text;
}

std::string alerts(const Status& status) {
  std::string text;
  for (const Alert& alert : status.alerts) {
    const std::string device = alert.device < 0 ? "" : " " + std::to_string(alert.device);
    text += (text.empty() ? "\n" : "") + std::string("alert: ") + alert.kind + device +
            (alert.host.empty() ? "" : " on " + alert.host) + ": " + alert.text + "\n";
  }
  return text;
}

void watch(const std::filesystem::path& file, bool once) {
  for (;;) {
    const Status status = read_status(file);
    std::printf("%s%s", once ? "" : kHomeAndClear, status_tables(status).c_str());
    std::fflush(stdout);
    if (once || status.state == "ended") return;
    std::this_thread::sleep_for(kRedraw);
  }
}

}  // namespace

std::string status_tables(const Status& status) {
  return head(status) + replicas(status) + nodes(status) + alerts(status);
}

void add_top(CLI::App& app) {
  CLI::App* command = app.add_subcommand("top", "show how a run is getting on: replicas, nodes, GPUs, alerts");
  const auto run = std::make_shared<std::filesystem::path>();
  const auto once = std::make_shared<bool>(false);
  command->add_option("RUN", *run, "run directory")->required();
  command->add_flag("--once", *once, "print once, as when the output is no terminal");
  command->callback([run, once] { watch(RunPaths{*run}.status(), *once || isatty(STDOUT_FILENO) == 0); });
}

}  // namespace trireme
