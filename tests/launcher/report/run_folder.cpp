#include "tests/launcher/report/run_folder.h"

#include "common/files.h"
#include "common/journal_lines.h"
#include "common/monitor_history.h"
#include "common/results.h"
#include "common/run_directory.h"
#include "common/status.h"
#include "launcher/raster.h"

namespace trireme::report {
namespace {

NodeSample node_at(double second) {
  NodeSample node{.host = "h0"};
  node.unix_seconds = 1000 + second;
  node.cpu_percent = 25;
  node.ram_used_bytes = 3ull << 30;
  node.ram_total_bytes = 8ull << 30;
  for (int index = 0; index < 2; ++index) {
    GpuSample gpu{.index = index, .uuid = "GPU-" + std::to_string(index), .name = "A GPU"};
    gpu.utilization_percent = 50 + 40 * index;
    gpu.memory_used_bytes = 20ull << 30;
    gpu.memory_total_bytes = 24ull << 30;
    gpu.power_watts = 300;
    gpu.temperature_c = 60 + index;
    if (index == 1 && second > 5) gpu.throttled = {"thermal"};
    node.gpus.push_back(gpu);
  }
  return node;
}

}  // namespace

RunFolder::RunFolder(std::vector<std::string> prompts) {
  const RunPaths paths{folder_.path()};
  create_folder(paths.images());
  std::string journal = header_text("0123456789abcdef0123456789abcdef");
  journal += to_text(JournalLine(StartLine{1, 2, 1, 4, {{"torch", "2.11.0"}, {"device", "A GPU"}}}));
  std::vector<Item> items(4);
  std::unordered_map<std::string, ItemRecord> records;
  for (std::size_t i = 0; i < items.size(); ++i) {
    items[i].id = std::string(1, static_cast<char>('a' + i));
    items[i].prompt = prompts.at(i);
    ItemRecord& record = records[items[i].id];
    record.id = items[i].id;
    record.ok = i < 3;
    record.width = record.height = 64;
    record.seconds = 3;
    record.replica = i % 2 == 0 ? 0 : 1;
    record.finished_seconds = 4 + 1.5 * static_cast<double>(i);
    if (record.ok) {
      record.picture = {RunPaths::picture(record.id), std::string(64, 'a'), 100};
      write_picture(folder_.path() / record.picture.file, 64, 32);
    } else {
      record.error = "the prompt asks to fail";
    }
    journal += to_text(JournalLine(SentLine{i, {record.id}, 1, record.replica, false}));
    journal += to_text(JournalLine(record));
  }
  write_file(paths.journal(), journal + to_text(JournalLine(EndLine{1, 3})));
  write_results(paths.results(), items, records);
  write_summary(paths.summary(), two_rank_summary());
  Status status;
  status.state = "ended";
  status.exit_code = 3;
  status.launch = 1;
  status.world = 2;
  status.total = 4;
  status.done = 3;
  status.failed = 1;
  status.seconds = 10;
  write_status(paths.status(), status);
  MonitorHistory history(paths.history(), 1);
  for (int second = 0; second <= 10; second += 5) history.add(second, 1000 + second, {node_at(second)}, second == 10);
  history.add(6, Alert{"gpu_throttling", "h0", 1, "the clock is held down: thermal"});
  write("job.yaml", "# The last job\nmodel:\n  family: fake\n");
}

std::string RunFolder::read(const std::string& name) const { return read_file(folder_ / name, 1 << 24); }

Summary two_rank_summary() {
  Summary summary;
  summary.run_id = "0123456789abcdef0123456789abcdef";
  summary.exit_code = 3;
  summary.policy = "least_loaded";
  summary.carrier = "nccl";
  summary.facts = {{"torch", "2.11.0"}};
  summary.total = 4;
  summary.done = 3;
  summary.failed = 1;
  summary.seconds = 10;
  summary.replicas = 2;
  summary.lower_bound_seconds = 8;
  summary.energy_joules = 6000;
  summary.energy_gpus = 2;
  summary.ranks.resize(2);
  summary.ranks[0] = {0, "h0", "A GPU", 2, 0, {2, 1, 0, 6, 1, 0, 0.5}, 9, 1, 0.003, 1u << 30, 1, 1, 1, 1, "GPU-0"};
  summary.ranks[1] = {1, "h0", "A GPU", 2, 0, {1, 1, 0, 4, 1, 0.5, 0}, 6, 4, 0.003, 1u << 30, 1, 1, 1, 1, "GPU-1"};
  return summary;
}

void write_picture(const std::filesystem::path& file, int width, int height) {
  Raster raster{width, height, {}};
  raster.pixels.assign(static_cast<std::size_t>(3 * width * height), 200);
  write_file(file, png_bytes(raster, file.string()), Durability::renamed);
}

}  // namespace trireme::report
