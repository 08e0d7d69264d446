#include "common/rank_log_marker.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>

#include "common/files.h"
#include "common/host.h"
#include "common/lock_file.h"

namespace trireme::rank_log {
namespace {

constexpr std::array kEndings{std::pair{Ending::finished, "finished"}, std::pair{Ending::stopped, "stopped"},
                              std::pair{Ending::died, "died"}};

std::string start_of(int launch) { return "=== start launch=" + std::to_string(launch) + " "; }
std::string end_of(int launch, const char* word) { return "=== end launch=" + std::to_string(launch) + " " + word; }

// What the signal handler needs, made ready before: it may only write, stat, unlink and raise.
struct {
  std::atomic<bool> armed{false};
  int log = -1, lock = -1;
  std::array<std::array<char, 64>, kEndings.size()> texts{};
  std::array<char, PATH_MAX> lock_path{};
} last_will;

extern "C" void end_by_signal(int signal) {
  end(Ending::stopped);
  ::raise(signal);  // the handler is for one call: the default action follows when it returns
}

void handle(int signal) {
  struct sigaction old {};
  ::sigaction(signal, nullptr, &old);
  if (old.sa_handler != SIG_DFL) return;
  struct sigaction mine {};
  mine.sa_handler = end_by_signal;
  mine.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(signal, &mine, nullptr);
}

}  // namespace

Ending ending_of(ExitCode code) { return code == ExitCode::internal ? Ending::died : Ending::stopped; }

void begin(const std::filesystem::path& log, int rank, int launch, const LockFile* lock) {
  const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) {
    throw Error(ExitCode::cannot_create, "can't open the log file " + log.string() + ": " + errno_text(errno) +
                                             "; check the folder's permissions");
  }
  last_will.log = fd;  // for the life of the process
  for (std::size_t i = 0; i < kEndings.size(); ++i) {
    // The newline in front: a line of the log may stand there half written.
    ("\n" + end_of(launch, kEndings[i].second) + "\n").copy(last_will.texts[i].data(), last_will.texts[i].size() - 1);
  }
  if (lock) {
    last_will.lock = ::dup(lock->descriptor());
    lock->path().string().copy(last_will.lock_path.data(), last_will.lock_path.size() - 1);
  }
  const std::string start = "\n" + start_of(launch) + "rank=" + std::to_string(rank) + " host=" + host_name() +
                            " pid=" + std::to_string(::getpid()) + "\n";
  const Descriptor once(::dup(fd));
  write_all(once, start, log);
  last_will.armed = true;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) handle(signal);
}

void end(Ending ending) noexcept {
  if (!last_will.armed.exchange(false)) return;
  const int saved_errno = errno;
  for (std::size_t i = 0; i < kEndings.size(); ++i) {
    if (kEndings[i].first != ending) continue;
    const char* text = last_will.texts[i].data();
    [[maybe_unused]] const ssize_t written = ::write(last_will.log, text, std::strlen(text));
  }
  if (last_will.lock >= 0) remove_if_same(last_will.lock, last_will.lock_path.data());
  errno = saved_errno;
}

LastWord last_word(const std::filesystem::path& log, int launch) {
  std::ifstream in(log, std::ios::binary);
  LastWord word = LastWord::absent;
  const std::string start = start_of(launch);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("=== ")) continue;
    if (line.starts_with(start)) word = LastWord::unmarked;
    if (line == end_of(launch, "finished")) word = LastWord::finished;
    if (line == end_of(launch, "stopped")) word = LastWord::stopped;
    if (line == end_of(launch, "died")) word = LastWord::died;
  }
  return word;
}

}  // namespace trireme::rank_log
