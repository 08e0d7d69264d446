#pragma once
// Samples a node at intervals, on a thread of its own that calls no MPI and no CUDA: one rank of each node has one. A
// driver that hangs holds up that thread only; the job goes on, and ends, without it.

#include <functional>
#include <memory>
#include <optional>

#include "common/node_sample.h"

namespace trireme {

class NodeSampler {
 public:
  /// `read` is called at once and then every `interval_seconds`, always from the thread; it may outlive the sampler
  /// when it hangs, so it owns what it needs. `counters`: these are to be read now (GpuSampler).
  NodeSampler(std::function<NodeSample(bool counters)> read, double interval_seconds);
  /// Waits for a reading under way, but no more than 2 s; logs what the readings cost.
  ~NodeSampler();
  NodeSampler(const NodeSampler&) = delete;

  /// The last sample, once; nothing until there is a new one. Any thread, cheap.
  std::optional<NodeSample> take();
  /// One more sample now, with its counters. Does not wait for it.
  void read_counters();
  /// The same, and it is the last one: waits for it, but no more than 2 s.
  std::optional<NodeSample> finish();

 private:
  struct Shared;
  const std::shared_ptr<Shared> shared_;
};

}  // namespace trireme
