#include "worker/monitor/metrics_file.h"

#include <charconv>
#include <initializer_list>
#include <map>
#include <utility>
#include <vector>

#include "common/files.h"

namespace trireme {
namespace {

using Labels = std::initializer_list<std::pair<const char*, std::string>>;

std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

/// Families in the order of their first line; all lines of a family stand together, as the format wants.
class Exposition {
 public:
  void add(const std::string& name, const char* help, const Labels& labels, double value) {
    const auto [at, is_new] = place_.emplace(name, families_.size());
    if (is_new) {
      const bool counter = name.ends_with("_total");
      families_.push_back("# HELP " + name + ' ' + help + "\n# TYPE " + name + (counter ? " counter\n" : " gauge\n"));
    }
    std::string line = name + '{';
    for (const auto& [label, text] : labels) line += (line.back() == '{' ? "" : ",") + quoted(label, text);
    families_[at->second] += line + "} " + shortest(value) + '\n';
  }
  template <class Number>
  void add(const std::string& name, const char* help, const Labels& labels, const std::optional<Number>& value) {
    if (value) add(name, help, labels, static_cast<double>(*value));
  }
  std::string text() const {
    std::string all;
    for (const std::string& family : families_) all += family;
    return all;
  }

 private:
  static std::string quoted(const char* label, const std::string& text) {
    std::string escaped = std::string(label) + "=\"";
    for (const char letter : text) {
      if (letter == '\n') {
        escaped += "\\n";
        continue;
      }
      if (letter == '"' || letter == '\\') escaped += '\\';
      escaped += letter;
    }
    return escaped + '"';
  }

  std::map<std::string, std::size_t> place_;
  std::vector<std::string> families_;
};

void add_gpu(Exposition& out, const std::string& run, const std::string& host, const GpuSample& gpu) {
  const Labels labels = {{"run_id", run},
                         {"Hostname", host},
                         {"gpu", std::to_string(gpu.index)},
                         {"UUID", gpu.uuid},
                         {"modelName", gpu.name}};
  out.add("trireme_gpu_utilization_percent", "Share of time in which a kernel ran.", labels, gpu.utilization_percent);
  out.add("trireme_gpu_memory_used_bytes", "GPU memory in use.", labels, gpu.memory_used_bytes);
  out.add("trireme_gpu_memory_bytes", "GPU memory.", labels, gpu.memory_total_bytes);
  out.add("trireme_gpu_temperature_celsius", "GPU temperature.", labels, gpu.temperature_c);
  out.add("trireme_gpu_power_watts", "Power drawn.", labels, gpu.power_watts);
  out.add("trireme_gpu_energy_joules_total", "Energy since the driver was loaded.", labels, gpu.energy_joules);
  out.add("trireme_gpu_sm_clock_hertz", "Clock of the multiprocessors.", labels,
          gpu.sm_mhz ? std::optional(*gpu.sm_mhz * 1e6) : std::nullopt);
  out.add("trireme_gpu_ecc_corrected_total", "Corrected memory errors.", labels, gpu.ecc_corrected);
  out.add("trireme_gpu_ecc_uncorrected_total", "Uncorrected memory errors.", labels, gpu.ecc_uncorrected);
}

}  // namespace

std::string prometheus_text(const Status& status) {
  Exposition out;
  const std::string& run = status.run_id;
  out.add("trireme_running", "1 until the job has ended.", {{"run_id", run}}, status.state == "ended" ? 0.0 : 1.0);
  out.add("trireme_items", "Items of the run.", {{"run_id", run}}, static_cast<double>(status.total));
  out.add("trireme_items_done", "Items finished well.", {{"run_id", run}}, static_cast<double>(status.done));
  out.add("trireme_items_failed", "Items that can't be made.", {{"run_id", run}}, static_cast<double>(status.failed));
  out.add("trireme_items_per_second", "Of this job.", {{"run_id", run}}, status.items_per_second);
  out.add("trireme_tokens_per_second", "Of this job.", {{"run_id", run}}, status.tokens_per_second);
  for (std::size_t replica = 0; replica < status.replicas.size(); ++replica) {
    const ReplicaStatus& of = status.replicas[replica];
    const Labels labels = {{"run_id", run}, {"replica", std::to_string(replica)}};
    out.add("trireme_replica_units_in_hand", "Units a replica holds.", labels, static_cast<double>(of.in_hand));
    out.add("trireme_replica_items_total", "Items of this job.", labels, static_cast<double>(of.done));
    out.add("trireme_replica_busy_seconds_total", "Device time of this job's items.", labels, of.busy_seconds);
  }
  for (const NodeSample& node : status.nodes) {
    const Labels labels = {{"run_id", run}, {"Hostname", node.host}};
    out.add("trireme_node_cpu_percent", "Use of all cores.", labels, node.cpu_percent);
    out.add("trireme_node_ram_used_bytes", "RAM that is not available.", labels, node.ram_used_bytes);
    out.add("trireme_node_ram_bytes", "RAM.", labels, node.ram_total_bytes);
    out.add("trireme_node_disk_free_bytes", "Of the run directory's file system.", labels, node.disk_free_bytes);
    for (const GpuSample& gpu : node.gpus) add_gpu(out, run, node.host, gpu);
  }
  for (const Alert& alert : status.alerts) {
    out.add("trireme_alert", "1 while it holds.",
            {{"run_id", run},
             {"kind", alert.kind},
             {"Hostname", alert.host},
             {"device", alert.device < 0 ? "" : std::to_string(alert.device)}},
            1.0);
  }
  return out.text();
}

void write_metrics(const std::filesystem::path& file, const Status& status) {
  write_file(file, prometheus_text(status), Durability::renamed);
}

}  // namespace trireme
