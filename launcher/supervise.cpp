#include "launcher/supervise.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "common/errors.h"

extern char** environ;

namespace trireme {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};

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

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int failed = posix_spawnp(&pid, args[0], &files, &attributes, args.data(), env.data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    throw Error(ExitCode::unavailable, "can't start " + line.words[0] + ": " + std::strerror(failed));
  }
  return pid;
}

}  // namespace

Outcome supervise(const LaunchLine& line) {
  sigset_t watched;
  sigemptyset(&watched);
  for (int s : kSignals) sigaddset(&watched, s);
  sigset_t before;
  sigprocmask(SIG_BLOCK, &watched, &before);
  const pid_t child = start(line);

  Outcome outcome;
  bool interrupted = false;
  time_t kill_at = 0;
  for (;;) {
    const timespec tick{1, 0};
    const int signal = sigtimedwait(&watched, nullptr, &tick);
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) {
      outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      break;
    }
    if (kill_at != 0 && std::time(nullptr) >= kill_at) kill(child, SIGKILL);
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
