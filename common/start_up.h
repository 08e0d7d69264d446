#pragma once
// Where the time goes between the start of a process and its first result: steps that follow each other. Kept by each
// rank, said in its log; rank 0's are printed and go into summary.json.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trireme {

class StartUp {
 public:
  /// `age`: seconds that the process has lived, which were spent loading its libraries; the first step.
  StartUp(double now, double age);

  /// What was done since the step before.
  void done(std::string_view step, double now);
  /// The same, of which parts are known: (name, seconds), those too short to matter left out; `step` is the rest.
  void done(std::string_view step, double now, const std::vector<std::pair<std::string, double>>& parts);

  const std::vector<std::pair<std::string, double>>& steps() const { return steps_; }
  double seconds() const;  // of all steps
  /// "ready 4.31 s after the start: libraries 0.37 · MPI 0.21 · …"
  std::string to_line() const;

 private:
  std::vector<std::pair<std::string, double>> steps_;
  double before_;
};

}  // namespace trireme
