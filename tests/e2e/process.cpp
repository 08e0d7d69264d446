#include "tests/e2e/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

namespace trireme::e2e {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
void pause_briefly() { std::this_thread::sleep_for(std::chrono::milliseconds(10)); }

Process::Process(std::vector<std::string> words, const std::map<std::string, std::string>& environment,
                 std::filesystem::path output)
    : output_(std::move(output)), start_(now()) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_ = fork();
  if (pid_ != 0) return;
  setpgid(0, 0);
  const int file = ::open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const int nothing = ::open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(file, STDOUT_FILENO);
  dup2(file, STDERR_FILENO);
  for (const auto& [key, value] : environment) setenv(key.c_str(), value.c_str(), 1);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

Process::~Process() {
  if (pid_ == 0) return;
  kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Process::signal(int number) const { kill(pid_, number); }

Ended Process::wait(double limit_seconds) {
  int status = 0;
  Ended ended;
  const bool in_time = eventually([&] { return waitpid(pid_, &status, WNOHANG) == pid_; }, limit_seconds);
  if (!in_time) {
    kill(-pid_, SIGKILL);
    waitpid(pid_, &status, 0);
  }
  pid_ = 0;
  ended.code = !in_time ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ended.seconds = now() - start_;
  std::ostringstream text;
  text << std::ifstream(output_).rdbuf();
  ended.output = text.str();
  return ended;
}

}  // namespace trireme::e2e
