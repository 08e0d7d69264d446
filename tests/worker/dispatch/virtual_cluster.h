#pragma once
// Replicas on a virtual clock under the real dispatcher: what a policy makes of a queue, without GPUs and in no time.
// Messages and transfers take nothing; a replica works on its units in the order sent.

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "worker/dispatch/dispatcher.h"

namespace trireme::virtual_cluster {

struct Scenario {
  std::vector<UnitWork> predicted;  // what the cost model says of each unit
  std::vector<double> work;         // what it is, in seconds of a replica of speed 1
  std::vector<double> tokens;       // of each unit; empty: none
  std::function<double(int replica, double time)> speed = [](int, double) { return 1.0; };  // constant from one
                                                                                            // change to the next
  std::vector<double> changes;  // times at which some speed changes, rising
  int replicas = 1;
  Dispatcher::Settings dispatch;
};

struct Outcome {
  double makespan = 0;
  std::vector<double> busy;      // seconds, one a replica
  std::vector<std::size_t> ran;  // how often each unit was run
  std::size_t moved = 0;         // units that came back by a recall
  double balance() const;        // mean over maximum of busy
};

Outcome run(const Scenario& scenario);

/// No order of whole units ends before this: all work over all speeds; the longest units each on the fastest replicas;
/// and of equal replicas, that one of them gets k + 1 of the k * replicas + 1 longest.
double lower_bound(const Scenario& scenario);

}  // namespace trireme::virtual_cluster
