#include "launcher/report/resources.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "common/energy_meter.h"
#include "launcher/report/charts.h"
#include "launcher/report/numbers.h"

namespace trireme::report {
namespace {

constexpr std::size_t kMostGpus = 64, kMostNodes = 16;

struct GpuCurves {
  std::string host, name;
  int index = 0;
  bool of_job = false;  // a rank ran on it
  std::vector<Point> use, memory, power, temperature;
  double memory_total = 0;  // GiB
  EnergyMeter energy;
};

struct NodeCurves {
  std::vector<Point> cpu, ram;
  double ram_total = 0;  // GiB
};

struct Curves {
  std::map<std::pair<std::string, int>, GpuCurves> gpus;
  std::map<std::string, NodeCurves> nodes;
  double from = 0, to = 1e-3;  // seconds
  bool ranks_known = false;    // which GPUs the ranks ran on
};

/// What is carried from a sample before is there already, unless that sample was not kept.
template <class Number>
void put(std::vector<Point>& points, double second, const std::optional<Number>& value, double unit = 1) {
  constexpr double kSame = 0.05;  // seconds: clocks of the same node drift apart by less
  if (!value || (!points.empty() && second < points.back().x + kSame)) return;
  points.push_back({second, static_cast<double>(*value) / unit, {}});
}

constexpr double kGib = 1u << 30;

Curves curves_of(const RunRecord& run) {
  Curves curves;
  std::set<std::string> of_job;
  if (run.summary) {
    for (const RankSummary& rank : run.summary->ranks) {
      if (!rank.gpu_uuid.empty()) of_job.insert(rank.gpu_uuid);
    }
    curves.ranks_known = !of_job.empty();
  }
  for (const HistorySample& sample : run.samples) {
    const NodeSample& node = sample.node;
    curves.from = std::min(curves.from, sample.seconds);
    curves.to = std::max(curves.to, sample.seconds);
    NodeCurves& of_node = curves.nodes[node.host];
    put(of_node.cpu, sample.seconds, node.cpu_percent);
    put(of_node.ram, sample.seconds, node.ram_used_bytes, kGib);
    if (node.ram_total_bytes) of_node.ram_total = static_cast<double>(*node.ram_total_bytes) / kGib;
    for (const GpuSample& gpu : node.gpus) {
      GpuCurves& of = curves.gpus[{node.host, gpu.index}];
      of.host = node.host;
      of.index = gpu.index;
      of.name = gpu.name;
      of.of_job = of_job.contains(gpu.uuid);
      const auto asked = [&](const char* question) { return sample.seconds - gpu.age_of(question); };
      put(of.use, asked("utilization"), gpu.utilization_percent);
      put(of.memory, asked("memory"), gpu.memory_used_bytes, kGib);
      put(of.power, asked("power"), gpu.power_watts);
      put(of.temperature, asked("temperature"), gpu.temperature_c);
      if (gpu.memory_total_bytes) of.memory_total = static_cast<double>(*gpu.memory_total_bytes) / kGib;
      of.energy.add(sample.seconds, gpu);
    }
  }
  if (const auto seconds = run.seconds()) curves.to = std::max(curves.to, *seconds);
  return curves;
}

/// Of what was sampled while the loop ran, each sample as long as it stood; all samples where there are none then.
std::optional<double> mean(const std::vector<Point>& points) {
  if (points.empty()) return std::nullopt;
  double sum = 0, length = 0;
  for (std::size_t i = 1; i < points.size(); ++i) {
    const double span = points[i].x - std::max(0.0, points[i - 1].x);
    if (span <= 0) continue;
    sum += span * (points[i].y + points[i - 1].y) / 2;
    length += span;
  }
  return length > 0 ? sum / length : points.back().y;
}

std::optional<double> most(const std::vector<Point>& points) {
  if (points.empty()) return std::nullopt;
  return std::max_element(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.y < b.y; })->y;
}

std::string mean_and_most(const std::vector<Point>& points, int digits) {
  return or_dash(mean(points), digits) + " / " + or_dash(most(points), digits);
}

void draw(Figures& into, const Curves& curves, const std::string& of, const std::string& what, const std::string& unit,
          const std::vector<Point>& points, std::optional<double> top) {
  if (points.empty()) return;
  Figure figure;
  figure.caption = of + ": " + what;
  figure.description = "mean " + or_dash(mean(points), 1) + ", most " + or_dash(most(points), 1) + " " + unit;
  if (top && *top <= 0) top.reset();
  figure.svg = curve_svg({figure.caption + ", " + figure.description, unit, points, curves.from, curves.to, top});
  into.each.push_back(std::move(figure));
}

Table gpu_table(const Curves& curves) {
  Table table;
  table.caption = "GPUs, mean / most of the samples; energy is that of the loop";
  table.columns = {{"GPU", false}, {"kind", false}, {"this job's"}, {"use %"},  {"memory GiB"},
                   {"power W"},    {"C"},           {"energy J"},   {"samples"}};
  for (const auto& [place, gpu] : curves.gpus) {
    table.rows.push_back({gpu.host + " " + std::to_string(gpu.index), gpu.name,
                          gpu.of_job           ? "yes"
                          : curves.ranks_known ? "no"
                                               : "not known",
                          mean_and_most(gpu.use, 0), mean_and_most(gpu.memory, 1), mean_and_most(gpu.power, 0),
                          mean_and_most(gpu.temperature, 0), or_dash(gpu.energy.joules(curves.to), 0),
                          std::to_string(std::max({gpu.use.size(), gpu.memory.size(), gpu.power.size()}))});
  }
  return table;
}

std::string energy_sentence(const RunRecord& run) {
  if (!run.summary || !run.summary->energy_joules) {
    return "Energy of this job is not known: no GPU of its ranks was found among those that NVML showed.";
  }
  const Summary& summary = *run.summary;
  std::string text = "The " + count(static_cast<std::uint64_t>(summary.energy_gpus), "GPU") + " of this job used " +
                     fixed(*summary.energy_joules, 0) + " J (" + fixed(*summary.energy_joules / 3600, 2) +
                     " Wh) in the loop, idle power included";
  if (summary.made() > 0) {
    text += ": " + fixed(summary.joules_per_item(), 1) + " J " + (summary.text ? "a request" : "an image");
  }
  return text + ". Hosts, network and loading are not in it.";
}

}  // namespace

std::optional<double> joules_per_item(const RunRecord& run) {
  if (!run.summary || !run.summary->energy_joules || run.summary->made() == 0) return std::nullopt;
  return run.summary->joules_per_item();
}

Section resources_section(const RunRecord& run) {
  Section section{"GPUs and nodes", {}};
  const Curves curves = curves_of(run);
  if (curves.nodes.empty()) {
    section.blocks.push_back(
        Paragraph{"No samples of this job: it was shorter than monitor.interval_seconds, or was "
                  "made by a program that kept none."});
    return section;
  }
  if (curves.gpus.empty()) {
    section.blocks.push_back(Paragraph{"No GPU was seen on these nodes (no NVML)."});
  } else {
    section.blocks.push_back(Paragraph{energy_sentence(run)});
    section.blocks.push_back(gpu_table(curves));
  }
  Figures figures;
  figures.caption = "Over time, 0 is the start of the loop; before it the model was loaded";
  std::size_t drawn = 0;
  for (const auto& [place, gpu] : curves.gpus) {
    if (drawn++ == kMostGpus) break;
    const std::string name = "GPU " + std::to_string(gpu.index) + " of " + gpu.host;
    draw(figures, curves, name, "utilisation", "%", gpu.use, 100);
    draw(figures, curves, name, "memory", "GiB", gpu.memory, round_up(gpu.memory_total));
    draw(figures, curves, name, "power", "W", gpu.power, std::nullopt);
    draw(figures, curves, name, "temperature", "C", gpu.temperature, 100);
  }
  drawn = 0;
  for (const auto& [host, node] : curves.nodes) {
    if (drawn++ == kMostNodes) break;
    draw(figures, curves, host, "CPU, all cores", "%", node.cpu, 100);
    draw(figures, curves, host, "RAM", "GiB", node.ram, round_up(node.ram_total));
  }
  if (curves.gpus.size() > kMostGpus || curves.nodes.size() > kMostNodes) {
    figures.caption +=
        " (the first " + std::to_string(kMostGpus) + " GPUs and " + std::to_string(kMostNodes) + " nodes)";
  }
  section.blocks.push_back(std::move(figures));
  return section;
}

Section alerts_section(const RunRecord& run) {
  Section section{"Alerts", {}};
  if (run.alerts.empty()) {
    section.blocks.push_back(Paragraph{run.samples.empty() ? "None is known." : "None in this job."});
    return section;
  }
  Table table;
  table.caption = "Each kind once a job and place, when it was first seen";
  table.columns = {{"at s"}, {"kind", false}, {"place", false}, {"what", false}};
  for (const HistoryAlert& each : run.alerts) {
    std::string place = each.alert.host;
    if (each.alert.device >= 0) {
      const char* device = each.alert.kind == "slow_replica" ? "replica " : "GPU ";
      place += (place.empty() ? "" : " ") + std::string(device) + std::to_string(each.alert.device);
    }
    table.rows.push_back({fixed(each.seconds, 1), each.alert.kind, place, each.alert.text});
  }
  section.blocks.push_back(std::move(table));
  return section;
}

}  // namespace trireme::report
