#pragma once
// Runs a program in a process group of its own, with its output in a file, and never longer than a limit.

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace trireme::e2e {

struct Ended {
  int code = 0;        // exit code, 128 + signal, or -1: the limit ran out and the group was killed
  std::string output;  // stdout and stderr
  double seconds = 0;
};

class Process {
 public:
  Process(std::vector<std::string> words, const std::map<std::string, std::string>& environment,
          std::filesystem::path output);
  ~Process();
  Process(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  Ended wait(double limit_seconds = 60);

 private:
  pid_t pid_ = 0;
  const std::filesystem::path output_;
  double start_ = 0;
};

/// True once `condition` is, polled; false when the limit ran out.
template <class Condition>
bool eventually(Condition condition, double limit_seconds = 20);

double now();
void pause_briefly();

template <class Condition>
bool eventually(Condition condition, double limit_seconds) {
  for (const double until = now() + limit_seconds; now() < until; pause_briefly()) {
    if (condition()) return true;
  }
  return condition();
}

}  // namespace trireme::e2e
