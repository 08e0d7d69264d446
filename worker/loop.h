#pragma once
// The loop that every rank's single thread runs: messages and transfers, slices of work, and on rank 0 the coordinator.
// It never waits on the GPU or a peer; with nothing to do it sleeps for some 100 µs.

#include <functional>
#include <optional>
#include <string>

#include "common/errors.h"
#include "worker/dispatch/coordinator.h"
#include "worker/engine/engine.h"
#include "worker/exchange/exchange.h"
#include "worker/monitor/watchdog.h"
#include "worker/output/local_output.h"
#include "worker/transport/transport.h"

namespace trireme {

struct LoopParts {
  Transport& transport;
  Exchange& exchange;
  Engine& engine;
  Coordinator* coordinator = nullptr;  // rank 0
  Watchdog& watchdog;
  std::function<void(double seconds)> monitor;  // rank 0, cheap: called in every pass
  LocalOutput* output = nullptr;                // where ranks write what they made
  std::function<std::string()> node;            // of the rank that watches its node: for the next pulse, cheap
};

struct LoopSettings {
  double interval_seconds = 5;         // of pulses and status
  double stall_timeout_seconds = 600;  // a rank that is silent for so long ends the job
  std::optional<double> stop_at;       // in steady_seconds(): what has begun by then is finished, the rest is left
};

struct LoopReport {
  ExitCode code = ExitCode::ok;
  double seconds = 0;
  double busy_seconds = 0, idle_seconds = 0;  // idle: no unit in the engine
  double longest_pass_seconds = 0;            // in which anything happened
};

/// Until FINISH. Throws Error(stopped_early) naming a rank that has been silent for too long.
LoopReport run_loop(LoopParts parts, const LoopSettings& settings);

}  // namespace trireme
