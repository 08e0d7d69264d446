#include "launcher/report/run_record.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <system_error>
#include <unordered_map>

#include "common/errors.h"
#include "common/files.h"
#include "common/input_shard.h"
#include "common/results.h"
#include "common/run_directory.h"
#include "launcher/report/numbers.h"

namespace trireme::report {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxTraceBytes = 64u << 20, kMaxJobBytes = 1u << 20;
constexpr std::array<std::string_view, 8> kKinds{"wait",    "slot",   "encode",   "prefill",
                                                 "denoise", "decode", "transfer", "write"};

bool is_there(const fs::path& file) {
  std::error_code none;
  return fs::exists(file, none);
}

/// Reads one file of a run; why it can't be goes to `missing`.
template <class Read>
void attempt(RunRecord& run, const fs::path& file, const std::string& without, Read read) {
  if (!is_there(file)) {
    run.missing.push_back(file.filename().string() + " is not there: " + without);
    return;
  }
  try {
    read();
  } catch (const std::exception& e) {
    run.missing.push_back(std::string(e.what()) + ": " + without);
  }
}

class JournalReader {
 public:
  explicit JournalReader(RunRecord& run) : run_(run) {}

  void operator()(const JournalLine& line) {
    if (const auto* start = std::get_if<StartLine>(&line)) begin(*start);
    if (const auto* sent = std::get_if<SentLine>(&line)) note(*sent);
    if (const auto* item = std::get_if<ItemRecord>(&line)) note(*item);
    if (std::holds_alternative<EndLine>(line)) run_.ended = true;
  }

 private:
  void begin(const StartLine& start) {
    run_.start = start;
    run_.ended = false;
    run_.sent_again = 0;
    sent_.clear();
    for (RunItem& item : run_.items) item.of_last_job = false;
  }
  void note(const SentLine& sent) {
    if (!sent_.insert(sent.unit).second || sent.attempt > 1) ++run_.sent_again;
  }
  void note(const ItemRecord& record) {
    const auto [place, fresh] = place_.try_emplace(record.id, run_.items.size());
    if (fresh) run_.items.emplace_back();
    RunItem& item = run_.items[place->second];
    item.record = record;
    item.of_last_job = true;
  }

  RunRecord& run_;
  std::set<std::uint64_t> sent_;
  std::unordered_map<std::string, std::size_t> place_;
};

void read_journal_of(RunRecord& run, const fs::path& file) {
  JournalReader reader(run);
  const JournalFile journal = read_journal(file, reader);
  run.run_id = journal.run_id;
  run.items_known = true;
  if (journal.damaged > 0) {
    run.missing.push_back(count(journal.damaged, "damaged line") +
                          " of the journal, the first: " + journal.first_damage);
  }
}

/// Prompts, and the order of the input.
void add_inputs(RunRecord& run, const fs::path& file) {
  std::unordered_map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < run.items.size(); ++i) place.emplace(run.items[i].record.id, i);
  std::vector<std::size_t> order;
  std::vector<bool> placed(run.items.size());
  for (ResultLine& line : read_results(file)) {
    const auto found = place.find(line.id);
    if (found == place.end() || placed[found->second]) continue;
    RunItem& item = run.items[found->second];
    item.prompt = std::move(line.prompt);
    item.images = std::move(line.images);
    order.push_back(found->second);
    placed[found->second] = true;
  }
  for (std::size_t i = 0; i < run.items.size(); ++i) {
    if (!placed[i]) order.push_back(i);
  }
  std::vector<RunItem> sorted;
  for (const std::size_t i : order) sorted.push_back(std::move(run.items[i]));
  run.items = std::move(sorted);
  run.in_input_order = true;
}

std::vector<TraceSpan> read_trace(const fs::path& file, int launch) try {
  const nlohmann::json json = nlohmann::json::parse(read_file(file, kMaxTraceBytes));
  if (json.value("otherData", nlohmann::json::object()).value("launch", 0) != launch) {
    throw Error(ExitCode::bad_data, file.filename().string() + " is of an earlier job");
  }
  std::vector<TraceSpan> spans;
  for (const auto& event : json.at("traceEvents")) {
    if (event.value("ph", "") != "X") continue;
    TraceSpan span;
    span.kind = event.value("cat", "");
    if (std::find(kKinds.begin(), kKinds.end(), span.kind) == kKinds.end()) continue;
    span.rank = event.at("pid").get<int>();
    span.lane = static_cast<TraceSpan::Lane>(std::clamp(event.at("tid").get<int>(), 0, 3));
    span.title = event.value("name", "");
    span.begin = event.at("ts").get<double>() * 1e-6;
    span.seconds = event.at("dur").get<double>() * 1e-6;
    spans.push_back(std::move(span));
  }
  return spans;
} catch (const nlohmann::json::exception& e) {
  throw Error(ExitCode::bad_data, file.string() + ": not a trace of this program: " + e.what());
}

void read_monitor(RunRecord& run, const fs::path& file) {
  HistoryFile history = read_history(file);
  const int launch = run.start.launch;
  for (HistorySample& sample : history.samples) {
    if (sample.launch == launch) run.samples.push_back(std::move(sample));
  }
  for (HistoryAlert& alert : history.alerts) {
    if (alert.launch == launch) run.alerts.push_back(std::move(alert));
  }
}

void refuse_what_is_no_run(const RunPaths& paths) {
  std::error_code none;
  if (!fs::is_directory(paths.root, none)) {
    throw Error(ExitCode::input_missing, paths.root.string() + ": no such folder; name the output.directory of a job");
  }
  if (is_there(paths.journal()) || is_there(paths.summary()) || is_there(paths.status())) return;
  throw Error(ExitCode::input_missing,
              paths.root.string() + ": no run in it (no journal.jsonl); name the output.directory of a job");
}

}  // namespace

RunRecord read_run_record(const fs::path& folder) {
  const RunPaths paths{folder};
  refuse_what_is_no_run(paths);
  RunRecord run;
  run.folder = folder;
  const fs::path whole = fs::absolute(folder).lexically_normal();
  run.name = (whole.has_filename() ? whole : whole.parent_path()).filename().string();
  run.merged = !shards_in(folder).empty();
  attempt(run, paths.journal(), "what became of each item is not known",
          [&] { read_journal_of(run, paths.journal()); });
  const auto add_prompts = [&] {
    if (run.items.empty()) return;
    attempt(run, paths.results(), "prompts are shown where pictures hold them; a job writes it when it ends",
            [&] { add_inputs(run, paths.results()); });
  };
  if (run.merged) {  // all else is of the shards' jobs
    add_prompts();
    return run;
  }
  attempt(run, paths.summary(), "no phases, ranks and balance; a job writes it when it ends, a killed one does not",
          [&] {
            Summary summary = read_summary(paths.summary());
            if (run.start.launch > 0 && summary.launch != run.start.launch) {
              throw Error(ExitCode::bad_data, "summary.json is of job " + std::to_string(summary.launch) +
                                                  ", the last one is " + std::to_string(run.start.launch));
            }
            run.summary = std::move(summary);
          });
  if (run.start.launch == 0 && run.summary) run.start.launch = run.summary->launch;
  attempt(run, paths.status(), "no last sign of life", [&] {
    Status status = read_status(paths.status());
    if (run.start.launch == 0) run.start.launch = status.launch;
    if (status.launch == run.start.launch) run.status = std::move(status);
  });
  if (!run.summary && !run.status && run.start.launch == 0) {
    throw Error(ExitCode::bad_data, folder.string() + ": nothing of this run can be read: " + run.missing.front());
  }
  if (run.run_id.empty()) run.run_id = run.summary ? run.summary->run_id : run.status ? run.status->run_id : "";
  add_prompts();
  attempt(run, paths.job(), "the configuration is not known", [&] { run.job = read_file(paths.job(), kMaxJobBytes); });
  attempt(run, paths.history(), "no curves of nodes and GPUs", [&] { read_monitor(run, paths.history()); });
  if (is_there(paths.trace())) {
    attempt(run, paths.trace(), "the timeline is drawn from the journal",
            [&] { run.spans = read_trace(paths.trace(), run.start.launch); });
  }
  return run;
}

int RunRecord::ranks() const {
  if (summary) return static_cast<int>(summary->ranks.size());
  return status ? status->world : start.world;
}

int RunRecord::replicas() const {
  if (summary) return summary->replicas;
  return std::max(1, ranks() / std::max(1, start.ranks_per_replica));
}

bool RunRecord::text() const {
  if (summary) return summary->text;
  return std::any_of(items.begin(), items.end(), [](const RunItem& item) { return item.record.text.has_value(); });
}

std::optional<double> RunRecord::seconds() const {
  if (merged) return std::nullopt;
  if (summary) return summary->seconds;
  double seconds = status ? status->seconds : 0;
  for (const RunItem& item : items) {
    if (item.of_last_job) seconds = std::max(seconds, item.record.finished_seconds);
  }
  if (seconds > 0) return seconds;
  return std::nullopt;
}

std::uint64_t RunRecord::failed() const {
  if (items.empty() && summary) return summary->failed;
  return static_cast<std::uint64_t>(
      std::count_if(items.begin(), items.end(), [](const RunItem& item) { return !item.record.ok; }));
}

std::uint64_t RunRecord::done() const {
  if (items.empty() && summary) return summary->done;
  return items.size() - failed();
}

std::uint64_t RunRecord::total() const {
  if (start.items > 0) return start.items;
  return summary ? summary->total : status ? status->total : items.size();
}

}  // namespace trireme::report
