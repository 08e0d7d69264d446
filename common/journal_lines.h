#pragma once
// The lines of journal.jsonl as plain data, and their JSON. docs/formats.md describes the file; common/journal.h writes
// it, common/resume.h reads it. Rank 0 and the trireme command. Any thread.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/file_record.h"
#include "common/text_result.h"

namespace trireme {

/// A job began: numbered from 1 in each run directory.
struct StartLine {
  int launch = 0;
  int world = 1;                             // ranks
  int ranks_per_replica = 1;                 // replica of a rank = rank / ranks_per_replica
  std::uint64_t items = 0;                   // of the whole input
  std::map<std::string, std::string> facts;  // what bits depend on beside the run id: versions, device model
};

/// A unit was handed out. The latest such line says where a unit is.
struct SentLine {
  std::uint64_t unit = 0;
  std::vector<std::string> ids;
  int attempt = 1;
  int replica = 0;
  bool alone =
      false;  // nothing else was in hand there: so suspects are run. For people; blame looks at what was in hand
};

/// A unit came back that had not begun (drain, recall).
struct ReturnedLine {
  std::uint64_t unit = 0;
};

/// An item is finished or failed: the last line of an id holds.
struct ItemRecord {
  std::string id;
  bool ok = false;  // status "ok" or "failed"
  FileRecord picture, tensors;
  std::optional<TextResult> text;
  std::uint64_t seed = 0;
  int width = 0, height = 0;  // 0: not a picture
  double seconds = 0;
  double finished_seconds = 0;  // when its unit came home, since the job's first units left; 0: not known
  int replica = -1;             // -1: none ran it
  int attempt = 1;
  std::string error;      // why it failed
  bool degraded = false;  // memory forced a smaller batch or tiling: bits may differ
};

/// Written at a resume for a unit that was in hand when job `launch` ended by a crash.
struct SuspectLine {
  std::uint64_t unit = 0;
  std::vector<std::string> ids;
  int launch = 0;
  bool blamed = false;  // it was the sole unit in hand of a rank that died
  int rank = -1;        // the rank that died; -1: not known which
};

/// A job ended by itself: nothing was in hand. A job without this line crashed or was killed.
struct EndLine {
  int launch = 0;
  int code = 0;
};

using JournalLine = std::variant<StartLine, SentLine, ReturnedLine, ItemRecord, SuspectLine, EndLine>;

/// One line with its newline.
std::string to_text(const JournalLine& line);
/// The first line of a journal, with its newline.
std::string header_text(const std::string& run_id);
/// What results.jsonl holds of an item: the same keys without `type`.
nlohmann::ordered_json to_json(const ItemRecord& item);

struct JournalFile {
  std::string run_id;        // empty: no complete first line, so nothing was done
  std::uint64_t bytes = 0;   // of complete lines: where to go on writing
  bool torn = false;         // something follows them: a line that a crash cut off
  std::size_t damaged = 0;   // lines among them that can't be read
  std::string first_damage;  // file:line and why
};

/// Calls `visit` for every line after the first, in order. The last line is dropped when it is torn or damaged; damaged
/// lines before it are skipped and counted: what they stood for is done again. A first line that is not ours is a
/// ConfigError.
JournalFile read_journal(const std::filesystem::path& file, const std::function<void(const JournalLine&)>& visit);

}  // namespace trireme
