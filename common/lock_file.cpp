#include "common/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "common/errors.h"
#include "common/host.h"
#include "common/json.h"
#include "common/utc.h"

namespace trireme {
namespace {

constexpr std::uint64_t kMaxBytes = 1 << 16;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string first_line(const char* file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

/// Field 22 of /proc/PID/stat; the name in field 2 may hold blanks and brackets, so counting begins behind it.
std::optional<std::uint64_t> start_ticks(std::int64_t pid) {
  const std::string stat = first_line(("/proc/" + std::to_string(pid) + "/stat").c_str());
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string field;
  for (int number = 3; number <= 22; ++number) fields >> field;
  std::uint64_t ticks = 0;
  return parse_uint64(field, ticks) ? std::optional(ticks) : std::nullopt;
}

std::string to_text(const LockHolder& holder) {
  nlohmann::ordered_json json;
  json["host"] = holder.host;
  json["boot"] = holder.boot;
  json["pid_namespace"] = holder.pid_namespace;
  json["pid"] = holder.pid;
  json["start_ticks"] = holder.start_ticks;
  json["job"] = holder.job;
  json["restart"] = holder.restart;
  json["since"] = holder.since;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::optional<LockHolder> parse(const std::string& text) {
  try {
    const nlohmann::json value = parse_json(text, "lock");
    const JsonObject json(value, "lock");
    return LockHolder{
        json.get_string("host"),          json.get_string("boot"),
        json.get_string("pid_namespace"), json.get_int("pid", 1, std::numeric_limits<std::int64_t>::max()),
        json.get_uint64("start_ticks"),   json.get_string("job"),
        json.get_string("restart"),       json.get_string("since")};
  } catch (const Error&) {
    return std::nullopt;  // a crash between making and filling it, or another job is at it right now
  }
}

[[noreturn]] void refuse(const std::filesystem::path& file, const std::optional<LockHolder>& holder, LockState state) {
  std::string message = file.parent_path().string();
  if (!holder) {
    message += " is locked by a file that names nobody; if no job uses the folder, remove " + file.string();
  } else {
    message += " is in use by pid " + std::to_string(holder->pid) + " on " + holder->host;
    if (!holder->job.empty()) message += ", job " + holder->job;
    message += ", since " + holder->since;
    message += state == LockState::held ? "; wait for it or choose another output.directory"
                                        : "; if that job is gone, remove " + file.string();
  }
  throw Error(ExitCode::cannot_create, message);
}

bool same_file(int descriptor, const char* path) {
  struct stat mine {
  }, there{};
  return ::fstat(descriptor, &mine) == 0 && ::lstat(path, &there) == 0 && mine.st_ino == there.st_ino &&
         mine.st_dev == there.st_dev;
}

}  // namespace

LockHolder this_process() {
  LockHolder self;
  self.host = host_name();
  self.boot = first_line("/proc/sys/kernel/random/boot_id");
  std::error_code ignored;
  self.pid_namespace = std::filesystem::read_symlink("/proc/self/ns/pid", ignored).string();
  self.pid = ::getpid();
  self.start_ticks = start_ticks(self.pid).value_or(0);
  self.job = environment("SLURM_JOB_ID");
  self.restart = environment("SLURM_RESTART_COUNT");
  self.since = utc_now();
  return self;
}

LockState judge(const LockHolder& holder, const LockHolder& self,
                const std::function<std::optional<std::uint64_t>(std::int64_t)>& start_ticks_of) {
  // Slurm ends a job before it starts it again.
  if (!holder.job.empty() && holder.job == self.job && holder.restart != self.restart) return LockState::stale;
  if (holder.host != self.host) return LockState::unknown;
  if (holder.boot != self.boot) return LockState::stale;
  if (holder.pid_namespace != self.pid_namespace) return LockState::unknown;
  return start_ticks_of(holder.pid) == holder.start_ticks ? LockState::held : LockState::stale;
}

LockFile::LockFile(std::filesystem::path file, const LockHolder& self) : file_(std::move(file)) {
  if (!create(self)) take_over(self);
}

LockFile::~LockFile() { remove_if_same(descriptor_.get(), file_.c_str()); }

bool LockFile::create(const LockHolder& self) {
  descriptor_ = Descriptor(::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (descriptor_.get() < 0) {
    if (errno == EEXIST) return false;
    const ExitCode code =
        errno == ENOSPC || errno == EDQUOT || errno == EIO ? ExitCode::io_error : ExitCode::cannot_create;
    throw Error(code, "can't write to " + file_.parent_path().string() + ": " + errno_text(errno) +
                          "; check its permissions or choose another output.directory");
  }
  try {
    write_all(descriptor_, to_text(self), file_);
    sync(descriptor_, file_);
  } catch (const Error&) {
    ::unlink(file_.c_str());
    throw;
  }
  return true;
}

void LockFile::take_over(const LockHolder& self) {
  const Descriptor old(::open(file_.c_str(), O_RDWR | O_CLOEXEC));
  if (old.get() < 0 && errno == ENOENT && create(self)) return;  // it was given up just now
  // Two jobs of this host that both find the lock stale: one rewrites it, the other sees another file. Where a file
  // system knows no flock, that race stays; jobs of different hosts never take over by themselves.
  const bool contended = old.get() >= 0 && ::flock(old.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  const bool current = !contended && old.get() >= 0 && same_file(old.get(), file_.c_str());
  const std::optional<LockHolder> holder = parse(read_file(file_, kMaxBytes));
  const LockState state = holder ? judge(*holder, self, start_ticks) : LockState::unknown;
  if (!current || state != LockState::stale) refuse(file_, holder, state);

  write_file(file_, to_text(self));
  descriptor_ = open_for_reading(file_);
}

void remove_if_same(int descriptor, const char* path) noexcept {
  if (same_file(descriptor, path)) ::unlink(path);
}

}  // namespace trireme
