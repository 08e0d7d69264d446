#include "launcher/supervise.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>

#include "common/errors.h"
#include "common/files.h"

extern char** environ;

namespace trireme {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};

/// The child's part after fork: only calls that are allowed there.
[[noreturn]] void become(char** words, char** variables, pid_t parent, int failure) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);  // a killed `trireme run` leaves no job behind
  if (getppid() != parent) _exit(0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  environ = variables;
  execvp(words[0], words);
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(failure, &error, sizeof error);
  _exit(127);
}

pid_t start(const LaunchLine& line) {
  std::vector<std::string> variables;
  for (char** v = environ; *v != nullptr; ++v) {
    const std::string variable = *v;
    if (line.environment.count(variable.substr(0, variable.find('='))) == 0) variables.push_back(variable);
  }
  for (const auto& [key, value] : line.environment) variables.push_back(key + "=" + value);
  std::vector<char*> env, args;
  for (auto& v : variables) env.push_back(v.data());
  env.push_back(nullptr);
  std::vector<std::string> words = line.words;
  for (auto& w : words) args.push_back(w.data());
  args.push_back(nullptr);

  int failure[2];  // closed by exec, or brings its errno
  const auto fail = [&](int error) {
    throw Error(ExitCode::unavailable, "can't start " + line.words[0] + ": " + errno_text(error));
  };
  if (pipe2(failure, O_CLOEXEC) != 0) fail(errno);
  const Descriptor from_child(failure[0]);
  Descriptor to_parent(failure[1]);
  const pid_t parent = getpid(), pid = fork();
  if (pid < 0) fail(errno);
  if (pid == 0) become(args.data(), env.data(), parent, to_parent.get());
  to_parent = Descriptor();
  int error = 0;
  ssize_t count = 0;
  while ((count = read(from_child.get(), &error, sizeof error)) < 0 && errno == EINTR) {
  }
  if (count == sizeof error) {
    waitpid(pid, nullptr, 0);
    fail(error);
  }
  return pid;
}

/// Whether a rank of the job is a child of the launcher: on this host, under mpirun.
bool has_rank_here(pid_t launcher) {
  const std::string id = std::to_string(launcher);
  std::ifstream children("/proc/" + id + "/task/" + id + "/children");
  for (std::string child; children >> child;) {
    std::string name;
    std::getline(std::ifstream("/proc/" + child + "/comm"), name);
    if (name == "trireme-worker") return true;
  }
  return false;
}

/// mpirun waits for ever for a host that is cut off, even when its own ranks have ended.
class LauncherWatch {
 public:
  explicit LauncherWatch(pid_t launcher) : launcher_(launcher) {}
  /// True once the ranks of this host have been gone for so long that the launcher can't be about to end.
  bool is_stuck(time_t now) {
    if (has_rank_here(launcher_)) last_seen_ = now;
    return last_seen_ != 0 && now - last_seen_ >= kPatience;
  }

 private:
  static constexpr time_t kPatience = 15;  // seconds
  const pid_t launcher_;
  time_t last_seen_ = 0;
};

}  // namespace

Outcome supervise(const LaunchLine& line) {
  sigset_t watched;
  sigemptyset(&watched);
  for (int s : kSignals) sigaddset(&watched, s);
  std::signal(SIGPIPE, SIG_IGN);  // a closed terminal is no reason to lose a job
  sigset_t before;
  sigprocmask(SIG_BLOCK, &watched, &before);
  const pid_t child = start(line);

  Outcome outcome;
  bool interrupted = false;
  time_t kill_at = 0;
  LauncherWatch watch(child);
  for (;;) {
    const timespec tick{1, 0};
    const int signal = sigtimedwait(&watched, nullptr, &tick);
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) {
      outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      break;
    }
    const time_t now = std::time(nullptr);
    if (kill_at != 0 && now >= kill_at) kill(child, SIGKILL);
    if (kill_at == 0 && watch.is_stuck(now)) {
      std::fprintf(stderr, "trireme: the ranks here have ended and the launcher waits for a lost host: it is ended\n");
      kill_at = now;
    }
    if (signal < 0 || signal == SIGCHLD) continue;
    outcome.asked_to_stop = true;
    const bool drain = signal == SIGUSR1 || signal == SIGUSR2 || (signal == SIGINT && !interrupted);
    if (signal == SIGINT && !interrupted) {
      std::fprintf(stderr,
                   "\ntrireme: finishing what has begun; Ctrl-C again stops at once (nothing finished is lost)\n");
      interrupted = true;
    }
    kill(child, drain ? SIGUSR1 : SIGTERM);
    if (!drain && kill_at == 0) kill_at = std::time(nullptr) + 30;
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return outcome;
}

}  // namespace trireme
