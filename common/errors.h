#pragma once
// The three kinds of failure and the exit codes they end in. `Error` and `ConfigError` travel uncaught to main(), which
// prints one line and aborts the job; an `ItemError` becomes a failed result and the job goes on.

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>

namespace trireme {

/// Exit codes of both programs (documented in docs/formats.md; after sysexits.h where a name exists there).
enum class ExitCode : int {
  ok = 0,
  some_items_failed = 3,
  usage = 64,
  bad_data = 65,
  input_missing = 66,
  unavailable = 69,  // GPU, NCCL or launcher
  internal = 70,
  cannot_create = 73,
  io_error = 74,
  stopped_early = 75,  // run the same command again
  config = 78,
};

/// What the code means and what to do, one line without a full stop: "stopped early; run the same command again to
/// resume".
const char* explain(ExitCode code);

/// Anything that ends the job. The message is one line: lower case, the fact, the place, the number, the remedy.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// The user's mistake, found before any work: file:line:column, key, value, what would be right.
class ConfigError : public Error {
 public:
  explicit ConfigError(const std::string& message, ExitCode code = ExitCode::config) : Error(code, message) {}
};

/// One item can't be made; the others can. A model that works on a batch says which item of the unit it is: that one
/// fails, and the unit is begun again with the others. Without a place the whole unit fails.
class ItemError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  ItemError(const std::string& message, std::size_t item) : std::runtime_error(message), item_(item) {}
  std::optional<std::size_t> item() const { return item_; }  // index into Unit::items

 private:
  std::optional<std::size_t> item_;
};

}  // namespace trireme
