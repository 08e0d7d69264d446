#include "launcher/verify.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <system_error>

#include "common/errors.h"
#include "common/run_directory.h"
#include "common/sha256.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

struct Run {
  fs::path root;
  JournalFile journal;
  std::map<std::string, ItemRecord> items;
  StartLine last_start;
};

Run read_run(const fs::path& root) {
  Run run{root, {}, {}, {}};
  RunState state;
  run.journal = read_journal(RunPaths{root}.journal(), [&](const JournalLine& line) { state.apply(line); });
  run.items = {state.items().begin(), state.items().end()};
  run.last_start = state.last_start();
  return run;
}

void check_file(const Run& run, const FileRecord& record, const std::string& expected_name, VerifyReport& report) {
  if (record.file.empty()) return;
  ++report.files;
  const fs::path file = run.root / expected_name;
  std::error_code error;
  const auto bytes = fs::file_size(file, error);
  if (record.file != expected_name) {
    report.differences.push_back(file.string() + ": the journal names another file, " + record.file);
  } else if (error) {
    report.differences.push_back(file.string() + ": " + errno_text(error.value()));
  } else if (bytes != record.bytes) {
    report.differences.push_back(file.string() + ": " + std::to_string(bytes) + " bytes, the journal says " +
                                 std::to_string(record.bytes));
  } else if (sha256_of_file(file) != record.sha256) {
    report.differences.push_back(file.string() + ": not the hash that the journal says");
  }
}

void check_run(const Run& run, VerifyReport& report) {
  for (const auto& [id, item] : run.items) {
    ++report.items;
    check_file(run, item.picture, RunPaths::picture(id), report);
    check_file(run, item.tensors, RunPaths::tensors_of(id), report);
    if (item.degraded) {
      report.notes.push_back(run.root.string() + ": " + id + " is degraded: memory was short, its bits may differ");
    }
  }
  if (run.journal.damaged > 0) report.notes.push_back("damaged line in the journal: " + run.journal.first_damage);
  if (run.items.size() < run.last_start.items) {
    report.notes.push_back(run.root.string() + ": " + std::to_string(run.last_start.items - run.items.size()) + " of " +
                           std::to_string(run.last_start.items) + " items are not finished");
  }
}

/// A kind of file that only one of two runs was asked to write is counted, not a difference.
void compare_files(const std::string& id, const char* kind, const FileRecord& a, const FileRecord& b,
                   std::map<std::string, std::size_t>& in_one_only, VerifyReport& report) {
  if (a.file.empty() != b.file.empty()) {
    ++in_one_only[kind];
  } else if (a.sha256 != b.sha256) {
    report.differences.push_back(id + ": the " + kind + " differ");
  }
}

/// Whatever the time it took.
bool same_text(const std::optional<TextResult>& a, const std::optional<TextResult>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return a->text == b->text && a->token_ids == b->token_ids && a->finish_reason == b->finish_reason;
}

void compare_runs(const Run& a, const Run& b, VerifyReport& report) {
  std::map<std::string, std::size_t> in_one_only;
  for (const auto& [id, item] : a.items) {
    const auto found = b.items.find(id);
    if (found == b.items.end()) {
      report.differences.push_back(id + ": only in " + a.root.string());
      continue;
    }
    const ItemRecord& other = found->second;
    if (item.ok != other.ok) {
      report.differences.push_back(id + ": failed in " + (item.ok ? b : a).root.string() + " only");
      continue;
    }
    compare_files(id, "pictures", item.picture, other.picture, in_one_only, report);
    compare_files(id, "tensors", item.tensors, other.tensors, in_one_only, report);
    if (!same_text(item.text, other.text)) report.differences.push_back(id + ": the texts differ");
  }
  for (const auto& [id, item] : b.items) {
    if (!a.items.contains(id)) report.differences.push_back(id + ": only in " + b.root.string());
  }
  for (const auto& [kind, count] : in_one_only) {
    report.notes.push_back(kind + " of " + std::to_string(count) + " items are in one run only and were not compared");
  }
  if (a.journal.run_id != b.journal.run_id)
    report.notes.push_back("the run ids differ: " + a.journal.run_id + " and " + b.journal.run_id);
}

}  // namespace

VerifyReport compare(const VerifyOptions& options) {
  VerifyReport report;
  const Run run = read_run(options.run);
  check_run(run, report);
  if (options.other) {
    const Run other = read_run(*options.other);
    check_run(other, report);
    compare_runs(run, other, report);
  }
  return report;
}

int verify(const VerifyOptions& options) {
  const VerifyReport report = compare(options);
  for (const std::string& line : report.differences) std::printf("%s\n", line.c_str());
  for (const std::string& line : report.notes) std::printf("note: %s\n", line.c_str());
  const char* equal = options.other ? "the runs are equal" : "all files are what the journal says";
  std::printf("%zu items, %zu files: ", report.items, report.files);
  if (report.differences.empty()) {
    std::printf("%s\n", equal);
    return static_cast<int>(ExitCode::ok);
  }
  std::printf("%zu differences\n", report.differences.size());
  return static_cast<int>(ExitCode::bad_data);
}

void add_verify(CLI::App& app) {
  CLI::App* command = app.add_subcommand("verify", "check the files of a run, or that two runs hold the same results");
  const auto options = std::make_shared<VerifyOptions>();
  command->add_option("RUN", options->run, "run directory")->required();
  command->add_option("OTHER", options->other, "a second run directory");
  command->callback([options] {
    if (const int code = verify(*options); code != 0) throw CLI::RuntimeError(code);
  });
}

}  // namespace trireme
