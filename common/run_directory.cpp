#include "common/run_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "common/errors.h"
#include "common/files.h"
#include "common/log.h"
#include "common/rank_log_marker.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

bool is_rank_log(const std::string& name) {
  return name.size() >= 14 && name.starts_with("rank-") && name.ends_with(".log") &&
         std::all_of(name.begin() + 5, name.end() - 4, [](char c) { return c >= '0' && c <= '9'; });
}

void remove_file(const fs::path& file) {
  std::error_code error;
  fs::remove(file, error);
  if (error) {
    throw Error(ExitCode::cannot_create, "can't remove " + file.string() + ": " + errno_text(error.value()) +
                                             "; check the folder's permissions");
  }
}

template <class Predicate>
void remove_matching(const fs::path& folder, Predicate matches) {
  if (!fs::is_directory(folder)) return;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (matches(entry.path().filename().string())) found.push_back(entry.path());
  }
  for (const fs::path& file : found) remove_file(file);
}

/// Half-written files of a crash. The lock is held, so nobody is writing.
void remove_temporaries(const RunPaths& paths) {
  for (const fs::path& folder : {paths.root, paths.images(), paths.tensors()})
    remove_matching(folder, is_temporary_name);
}

void warn_about_damage(const JournalFile& journal, const std::string& consequence) {
  if (journal.damaged > 0) log::warning(consequence, {{"lines", journal.damaged}, {"first", journal.first_damage}});
}

/// Only what a run wrote: every picture and tensors file belongs to an id that the journal names. The journal goes
/// last, so that a crash in here can be repeated.
void remove_former_run(const RunPaths& paths) {
  if (!fs::exists(paths.journal())) return;
  std::set<std::string> ids;
  const JournalFile read = read_journal(paths.journal(), [&](const JournalLine& line) {
    if (const auto* sent = std::get_if<SentLine>(&line)) ids.insert(sent->ids.begin(), sent->ids.end());
    if (const auto* item = std::get_if<ItemRecord>(&line)) ids.insert(item->id);
  });
  warn_about_damage(read, "pictures that only damaged lines of the journal name stay");
  for (const std::string& id : ids) {
    if (id.empty() || id[0] == '.' || id.find('/') != std::string::npos) continue;  // not an id of ours
    remove_file(paths.root / RunPaths::picture(id));
    remove_file(paths.root / RunPaths::tensors_of(id));
  }
  for (const fs::path& file :
       {paths.results(), paths.summary(), paths.status(), paths.job(), paths.history(), paths.trace(),
        paths.root / "timeline.svg", paths.root / "report.html", paths.root / "report.md"}) {
    remove_file(file);
  }
  remove_matching(paths.root, is_rank_log);
  remove_file(paths.journal());
  log::info("removed the former run", {{"directory", paths.root.string()}, {"items", ids.size()}});
}

bool has_size(const fs::path& file, std::uint64_t bytes) {
  std::error_code error;
  return fs::file_size(file, error) == bytes && !error;
}

bool files_in_place(const ItemRecord& item, const RunSettings& settings) {
  for (const auto& [wanted, record] :
       {std::pair(settings.pictures, &item.picture), {settings.tensors, &item.tensors}}) {
    if (wanted && (record->file.empty() || !has_size(settings.directory / record->file, record->bytes))) return false;
  }
  return true;
}

void append(const fs::path& journal, const JournalFile& before, const std::string& text) {
  Descriptor out(::open(journal.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (out.get() < 0 || (before.torn && ::ftruncate(out.get(), static_cast<off_t>(before.bytes)) != 0)) {
    throw Error(ExitCode::cannot_create,
                "can't write " + journal.string() + ": " + errno_text(errno) + "; check its permissions");
  }
  write_all(out, text, journal);
  sync(out, journal);
  sync_folder(journal.parent_path());
}

void warn_about_changed_facts(const StartLine& before, const StartLine& now) {
  for (const auto& [key, value] : now.facts) {
    const auto old = before.facts.find(key);
    if (old != before.facts.end() && old->second != value) {
      log::warning("bits may differ from those of the job before",
                   {{"what", key}, {"was", old->second}, {"is", value}});
    }
  }
}

}  // namespace

fs::path RunPaths::rank_log(int rank) const {
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "rank-%05d.log", rank);
  return root / name.data();
}

RunDirectory::RunDirectory(const RunSettings& settings) : paths_{settings.directory} {
  create_folder(paths_.root);
  lock_ = std::make_unique<LockFile>(paths_.lock());
  if (settings.fresh) remove_former_run(paths_);
  remove_temporaries(paths_);

  JournalFile before;
  if (fs::exists(paths_.journal())) {
    before = read_journal(paths_.journal(), [&](const JournalLine& line) { state_.apply(line); });
    warn_about_damage(before, "what damaged lines of the journal stood for is made again");
  }
  if (!before.run_id.empty() && before.run_id != settings.run_id) {
    throw ConfigError(paths_.root.string() + " holds another run (run id " + before.run_id + ", this job is " +
                      settings.run_id + "): choose another output.directory, or --fresh to remove that run's results");
  }
  std::string text = before.run_id.empty() ? header_text(settings.run_id) : "";
  for (const JournalLine& line : look_back(settings)) text += to_text(line);
  append(paths_.journal(), before, text);

  if (settings.pictures) create_folder(paths_.images());
  if (settings.tensors) create_folder(paths_.tensors());
  journal_ = std::make_unique<Journal>(paths_.journal(), launch_);
}

std::vector<JournalLine> RunDirectory::look_back(const RunSettings& settings) {
  std::vector<JournalLine> lines;
  const auto note = [&](const JournalLine& line) {
    state_.apply(line);
    lines.push_back(line);
  };
  std::vector<rank_log::LastWord> words;
  const StartLine last = state_.last_start();
  if (!state_.ended_by_itself()) {
    for (int rank = 0; rank < last.world; ++rank) {
      words.push_back(rank_log::last_word(paths_.rank_log(rank), last.launch));
    }
  }
  for (const SuspectLine& line : state_.suspects_of_crash(words)) {
    log::warning(line.blamed ? "a rank died with one unit in hand" : "a job crashed with this unit in hand",
                 {{"first_id", line.ids.empty() ? "" : line.ids[0]}, {"launch", line.launch}, {"rank", line.rank}});
    note(line);
  }

  std::vector<std::string> lost;
  for (const auto& [id, item] : state_.items()) {
    if (item.ok && !files_in_place(item, settings)) lost.push_back(id);
  }
  for (const std::string& id : lost) state_.redo(id);
  if (!lost.empty()) log::warning("finished items without their files are made again", {{"items", lost.size()}});

  for (const Suspect& suspect : state_.suspects()) {
    if (suspect.blames < settings.max_attempts) {
      suspects_.push_back(suspect);
      continue;
    }
    for (const std::string& id : suspect.ids) {
      if (state_.items().contains(id)) continue;
      ItemRecord failed;
      failed.id = id;
      failed.attempt = suspect.blames;
      failed.error = "the rank that ran it died " + std::to_string(suspect.blames) + " times with nothing else in hand";
      note(failed);
    }
  }
  StartLine start = settings.start;
  start.launch = launch_ = last.launch + 1;
  if (last.launch > 0) warn_about_changed_facts(last, start);
  note(start);
  return lines;
}

void require_free_space(const fs::path& directory, std::uint64_t bytes) {
  const std::uint64_t free = free_bytes(directory);
  if (free >= bytes) return;
  throw Error(ExitCode::io_error, directory.string() + " has " + std::to_string(free >> 20) +
                                      " MiB free, the results need " + std::to_string((bytes + (1 << 20) - 1) >> 20) +
                                      " MiB; free some space or choose another output.directory");
}

}  // namespace trireme
