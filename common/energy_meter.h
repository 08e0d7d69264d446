#pragma once
// Energy of one GPU from samples of its power and of its energy counter. Where the counter was read it counts, however
// rarely; power says when it was spent, and what has been since. Pure, a few numbers whatever the length of a job; rank
// 0 and the report.

#include <optional>

#include "common/node_sample.h"

namespace trireme {

class EnergyMeter {
 public:
  struct Counter {
    double seconds, joules;  // when it was read, and what it said
  };
  /// In the order of time; `seconds` since the job's loop began, negative before it. The counter was read since the
  /// sample before, or is that sample's again. One that stands still or went back says nothing.
  void add(double seconds, std::optional<double> watts, std::optional<Counter> counter);
  void add(double seconds, const GpuSample& gpu);

  /// From second 0 to `until`. Before the first sample and behind the last one the power is taken to be theirs. Nothing
  /// when no sample said anything.
  std::optional<double> joules(double until) const;

 private:
  /// Power integrated, in joules.
  struct Spent {
    double all = 0, in_loop = 0;
  };
  void advance(double seconds, double watts);
  void settle(const Counter& counter);
  void note_power(double watts);

  std::optional<double> first_seconds_, last_watts_;  // of samples
  double last_seconds_ = 0;
  std::optional<double> begin_watts_, end_watts_;  // outside the samples
  std::optional<Counter> counter_;                 // that counted last
  Spent since_;                                    // since it was read
  double joules_ = 0;                              // from second 0 to then
};

}  // namespace trireme
