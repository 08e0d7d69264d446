#pragma once
// Energy of one GPU from samples of its power or of its energy counter. Pure, a few numbers whatever the length of a
// job; rank 0 and the report.

#include <optional>

namespace trireme {

class EnergyMeter {
 public:
  /// In the order of time; `seconds` since the job's loop began, negative before it. Where `counter_joules` grew
  /// between two samples, its difference counts, else the mean of their power.
  void add(double seconds, std::optional<double> watts, std::optional<double> counter_joules);

  /// From second 0 to `until`. Before the first sample and behind the last one the power is taken to be theirs. Nothing
  /// when no sample said anything.
  std::optional<double> joules(double until) const;

 private:
  struct Sample {
    double seconds;
    std::optional<double> watts, counter;
  };
  std::optional<Sample> last_;
  std::optional<double> first_watts_, last_watts_;  // of the first and last sample, or between them and their neighbour
  double first_seconds_ = 0;
  double joules_ = 0;  // from second 0, or the first sample, to the last
};

}  // namespace trireme
