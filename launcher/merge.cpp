#include "launcher/merge.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <system_error>
#include <unordered_map>

#include "common/files.h"
#include "common/input_shard.h"
#include "common/lock_file.h"
#include "common/results.h"
#include "common/run_directory.h"
#include "common/shard_file.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

struct Run {
  RunPaths paths;
  std::string run_id;
  RunState state;
};

Run read_run(const fs::path& folder) {
  Run run{{folder}, {}, {}};
  std::error_code ignored;
  if (!fs::exists(run.paths.journal(), ignored)) return run;
  run.run_id = read_journal(run.paths.journal(), [&](const JournalLine& line) { run.state.apply(line); }).run_id;
  return run;
}

bool has_size(const fs::path& file, std::uint64_t bytes) {
  std::error_code error;
  return fs::file_size(file, error) == bytes && !error;
}

void copy_whole(const fs::path& from, const fs::path& to) {
  const Descriptor in = open_for_reading(from);
  AtomicFile out(to);
  std::vector<std::byte> buffer(1 << 20);
  while (const std::size_t count = read_some(in, buffer, from)) out.append(std::span(buffer).first(count));
  out.commit(Durability::renamed);
}

/// The same bytes under a second name: a link where the file system has them. False: the shard does not have the file.
bool bring(const FileRecord& record, const fs::path& from_folder, const fs::path& to_folder) {
  if (record.file.empty()) return true;
  const fs::path from = from_folder / record.file, to = to_folder / record.file;
  if (has_size(to, record.bytes)) return true;
  if (!has_size(from, record.bytes)) return false;
  if (::unlink(to.c_str()) != 0 && errno != ENOENT) {
    throw Error(ExitCode::cannot_create, "can't replace " + to.string() + ": " + errno_text(errno));
  }
  if (::link(from.c_str(), to.c_str()) != 0) copy_whole(from, to);
  return true;
}

class Merging {
 public:
  explicit Merging(fs::path directory) : directory_(std::move(directory)), lock_(RunPaths{directory_}.lock()) {}

  MergeReport run(const std::vector<InputShard>& shards);

 private:
  void take(const InputShard& shard);
  void refuse_another_run(const Run& run);
  void write();

  const fs::path directory_;
  const LockFile lock_;
  MergeReport report_;
  std::string run_id_;
  StartLine start_;
  std::map<std::uint64_t, Item> order_;  // by place in the whole input; ids and what results.jsonl says
  std::unordered_map<std::string, ItemRecord> records_;
};

void Merging::refuse_another_run(const Run& run) {
  if (run_id_.empty()) run_id_ = run.run_id;
  if (run.run_id.empty() || run.run_id == run_id_) return;
  throw ConfigError(run.paths.root.string() + " is of another run (run id " + run.run_id + ", the others are " +
                    run_id_ + "): prompts or settings were changed between the jobs; remove it and run it again");
}

void Merging::take(const InputShard& shard) {
  const fs::path folder = directory_ / folder_name(shard);
  const LockFile lock(RunPaths{folder}.lock());  // no job may be at work there
  const ShardFile file = read_shard_file(folder);
  const Run run = read_run(folder);
  refuse_another_run(run);
  report_.total = file.total;
  ++report_.shards;
  start_.world = std::max(start_.world, run.state.last_start().world);
  for (const auto& [key, value] : run.state.last_start().facts) {
    const auto [fact, fresh] = start_.facts.emplace(key, value);
    if (!fresh && fact->second != value) {
      report_.notes.push_back(folder.string() + " was made with another " + key + " (" + value + ", not " +
                              fact->second + "): bits may differ");
    }
  }
  std::map<std::string, ResultLine> inputs;
  std::error_code none;
  if (fs::exists(run.paths.results(), none)) {
    for (ResultLine& line : read_results(run.paths.results())) inputs.emplace(line.id, std::move(line));
  }
  std::uint64_t finished = 0, lost = 0;
  for (std::size_t i = 0; i < file.ids.size(); ++i) {
    Item& item = order_[file.places[i]];
    item.id = file.ids[i];
    item.index = file.places[i];
    if (const auto input = inputs.find(item.id); input != inputs.end()) {
      item.prompt = input->second.prompt;
      for (const std::string& name : input->second.images) item.images.push_back({.name = name});
    }
    const auto made = run.state.items().find(item.id);
    if (made == run.state.items().end()) continue;
    const ItemRecord& record = made->second;
    if (const auto here = records_.find(item.id); here != records_.end() && here->second.ok && !record.ok) continue;
    if (record.ok && !(bring(record.picture, folder, directory_) && bring(record.tensors, folder, directory_))) {
      ++lost;
      continue;
    }
    ++finished;
    records_[item.id] = record;
  }
  if (lost > 0) report_.notes.push_back(folder.string() + " lacks the files of " + std::to_string(lost) + " items");
  if (finished + lost < file.ids.size()) {
    report_.notes.push_back(folder.string() + ": " + std::to_string(file.ids.size() - finished - lost) + " of " +
                            std::to_string(file.ids.size()) + " items are not made yet; --shard " + to_text(shard) +
                            " goes on with it");
  }
}

void Merging::write() {
  const RunPaths paths{directory_};
  for (const fs::path& folder : {paths.images(), paths.tensors()}) {
    std::error_code ignored;
    if (fs::is_directory(folder, ignored)) sync_folder(folder);
  }
  std::vector<Item> items;
  for (auto& [place, item] : order_) items.push_back(std::move(item));
  start_.items = report_.total;
  std::string text = header_text(run_id_) + to_text(JournalLine(start_));
  for (const Item& item : items) {
    const auto record = records_.find(item.id);
    if (record == records_.end()) continue;
    text += to_text(JournalLine(record->second));
    ++(record->second.ok ? report_.done : report_.failed);
  }
  text += to_text(JournalLine(EndLine{start_.launch, static_cast<int>(report_.code())}));
  write_file(paths.journal(), text);
  write_results(paths.results(), items, records_);
}

MergeReport Merging::run(const std::vector<InputShard>& shards) {
  // What an earlier merge, or a job on the whole input, has left here.
  const Run before = read_run(directory_);
  refuse_another_run(before);
  records_ = before.state.items();
  start_ = before.state.last_start();
  ++start_.launch;
  report_.of = shards.front().count;
  for (const fs::path& folder : {RunPaths{directory_}.images(), RunPaths{directory_}.tensors()}) {
    const bool wanted = std::any_of(shards.begin(), shards.end(), [&](const InputShard& shard) {
      return fs::is_directory(directory_ / folder_name(shard) / folder.filename());
    });
    if (wanted) create_folder(folder);
  }
  for (const InputShard& shard : shards) take(shard);
  write();
  return report_;
}

}  // namespace

ExitCode MergeReport::code() const {
  if (shards < of || done + failed < total) return ExitCode::stopped_early;
  return failed > 0 ? ExitCode::some_items_failed : ExitCode::ok;
}

MergeReport merge_shards(const fs::path& directory) {
  const std::vector<InputShard> shards = shards_in(directory);
  if (shards.empty()) {
    throw ConfigError(directory.string() + ": holds no shards (folders such as " + folder_name({0, 4}) +
                          "); name the output.directory of jobs that ran with --shard",
                      ExitCode::input_missing);
  }
  if (shards.front().count != shards.back().count) {
    throw ConfigError(directory.string() + " holds " + folder_name(shards.front()) + " and " +
                      folder_name(shards.back()) + ": remove the ones that are not wanted");
  }
  return Merging(directory).run(shards);
}

void add_merge(CLI::App& app) {
  CLI::App* command = app.add_subcommand("merge", "join the shards of a run (jobs with --shard) into one");
  const auto directory = std::make_shared<std::string>();
  command->add_option("RUN", *directory, "run directory that holds the shards")->required();
  command->callback([directory] {
    const MergeReport report = merge_shards(*directory);
    for (const std::string& note : report.notes) std::printf("note: %s\n", note.c_str());
    std::printf("%d of %d shards joined: %llu of %llu items made, %llu failed\n", report.shards, report.of,
                static_cast<unsigned long long>(report.done), static_cast<unsigned long long>(report.total),
                static_cast<unsigned long long>(report.failed));
    if (report.code() != ExitCode::ok) throw CLI::RuntimeError(static_cast<int>(report.code()));
  });
}

}  // namespace trireme
